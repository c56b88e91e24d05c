"""The paper's tables and figures for a data set: python run_benchmark.py --help"""

import sys

from recbole_mwuf.benchmark_cli import main

if __name__ == "__main__":
    sys.exit(main())
