"""Search for good settings: python run_hyper.py --help"""

import sys

from recbole_mwuf.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command("tune", sys.argv[1:], "run_hyper.py"))
