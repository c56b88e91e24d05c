"""Warm up the new items of a RecBole data set: python run_recbole_mwuf.py --help"""

import sys

from recbole_mwuf.cli import main

if __name__ == "__main__":
    sys.exit(main(prog="run_recbole_mwuf.py"))
