"""Which base serves which method: the README's table, from runs on a small data set.

``python -m tests.compatibility`` prints it; a test compares it with the README.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.errors import UserError
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import known_bases, warm_up_methods
from tests.conftest import TINY, write_tiny

WITHOUT_ROW = ("TasteBoost", "TasteMean", "UserMean")  # they need taste_fields: docs/taste.md


def compatibility_table(data_path: Path) -> str:
    """A Markdown table of base by method; a footnote gives the reason where one does not serve."""
    methods = sorted(warm_up_methods())
    lines = [f"| base | {' | '.join(methods)} |", "|---" * (len(methods) + 1) + "|"]
    letters: dict[str, str] = {}
    for base in sorted(set(known_bases()).difference(WITHOUT_ROW)):
        cells = []
        for method in methods:
            reason = _why_not(method, base, data_path)
            if reason is None:
                cells.append("yes")
            else:
                cells.append(f"no [{letters.setdefault(reason, 'abcdefgh'[len(letters)])}]")
        lines.append(f"| {base} | {' | '.join(cells)} |")
    notes = [f"- [{letter}] {reason}" for reason, letter in letters.items()]
    return "\n".join([*lines, "", *notes])


def _why_not(method: str, base: str, data_path: Path) -> str | None:
    try:
        settings = {**TINY, "data_path": str(data_path), "base_phases": False, "metrics": "AUC"}
        result = run(method, base, "tiny", config_dict=settings, saved=False)
    except UserError as error:
        return str(error).split(". Use")[0].replace(f"base={base} ", "")
    except (RuntimeError, NotImplementedError) as error:
        return str(error).splitlines()[0]
    values = [phase["next_phase"]["auc"] for phase in result.phases.values()]
    return None if all(value is not None for value in values) else "no finite AUC"


if __name__ == "__main__":
    silence_recbole()
    with tempfile.TemporaryDirectory() as folder:
        write_tiny(Path(folder))
        print(compatibility_table(Path(folder)))
