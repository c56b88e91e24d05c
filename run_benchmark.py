"""The paper's tables and figures for a data set: python run_benchmark.py --help"""

import sys

from recbole_mwuf.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command("experiment", sys.argv[1:], "run_benchmark.py"))
