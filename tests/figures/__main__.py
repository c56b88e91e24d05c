"""``python -m tests.figures``: write the small runs' figures, or compare two checkouts."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.errors import UserError
from tests.conftest import ML_1M
from tests.figures.checkouts import PAIRS, compare
from tests.figures.small_runs import FILE, run_all, write


def main() -> int:
    """Exit status 1 if figures are not what they have to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.figures", description=__doc__)
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="checkouts, or folders with the result files that --keep left of one",
    )
    parser.add_argument("--only", default="", help="pairs that match, such as MWUF-DIN or ml-100k")
    parser.add_argument("--keep", type=Path, help="folder for the result files")
    options = parser.parse_args()
    if options.compare:
        pairs = [pair for pair in PAIRS if re.search(options.only, str(pair))]
        if not ML_1M.is_file():
            print(f"ml-1m is left out: there is no {ML_1M}", file=sys.stderr)
            pairs = [pair for pair in pairs if pair.dataset != "ml-1m"]
        return 1 if compare(*options.compare, pairs, options.keep) else 0
    silence_recbole()
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # RecBole writes where it stands
            now = run_all()
            os.chdir(FILE.parent)
        write(now)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
