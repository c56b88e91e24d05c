"""Search for good settings: python run_hyper.py --help"""

import sys

from recbole_mwuf.tuning_cli import main

if __name__ == "__main__":
    sys.exit(main())
