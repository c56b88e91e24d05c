"""``python -m dataset_converters``."""

import sys

from dataset_converters.signals import end_at_signals, ignore_signals

if __name__ == "__main__":
    end_at_signals()
    from dataset_converters.cli import main  # only now: it takes long enough for a Ctrl-C

    status = main()
    ignore_signals()
    sys.exit(status)
