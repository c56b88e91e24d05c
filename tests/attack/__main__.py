"""Run the attack: ``python -m tests.attack [--rounds N] [--write]``."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

from recbole_mwuf.compat import silence_recbole
from tests.attack import atomic_files, checkpoints, commands, kills, online, settings
from tests.attack.cases import Group, table
from tests.conftest import ROOT, write_tiny

PAGE = ROOT / "docs" / "reliability.md"
BLOCK = re.compile(r"<!-- attack -->\n.*?<!-- end -->", re.DOTALL)


def attack(rounds: int = 1) -> list[Group]:
    """All groups, in a folder of their own."""
    warnings.simplefilter("ignore")
    silence_recbole()
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("tiny_data").mkdir()
            write_tiny(Path("tiny_data"))
            return list(_groups(str(Path("tiny_data").resolve()), rounds))
        finally:
            os.chdir(before)


def _groups(data: str, rounds: int) -> list[Group]:
    files = checkpoints.prepare(data)
    warm = files["warm_up"]
    return [
        Group("settings").run(settings.cases(rounds)),
        Group("settings files").run(settings.file_cases()),
        Group("command lines").run(commands.cases()),
        Group("atomic files").run(atomic_files.cases(rounds)),
        Group("foreign checkpoints").run(checkpoints.foreign(data)),
        Group("damaged checkpoints").run(checkpoints.damaged(warm, rounds)),
        Group("fields of checkpoints").run(checkpoints.fields(warm)),
        Group("online input").run(online.cases(warm)),
        Group("kills").run(kills.cases(data, rounds)),
    ]


def main() -> int:
    """Run, print and perhaps write the table; status 1 if there is a hole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write the table into the docs")
    options = parser.parse_args()
    groups = attack(options.rounds)
    print(table(groups))
    holes = [hole for group in groups for hole in group.holes]
    print("\n".join(holes))
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        block = f"<!-- attack -->\n{table(groups)}\n<!-- end -->"
        PAGE.write_text(BLOCK.sub(lambda _: block, text), encoding="utf-8")
    return bool(holes)


if __name__ == "__main__":
    sys.exit(main())
