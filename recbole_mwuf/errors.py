"""Errors that the user can mend: shown as one message, without a traceback."""

from __future__ import annotations

import argparse


class UserError(ValueError):
    """A setting, a file or a data set does not fit.

    The message names the setting or the file, its value and the way out.
    """


def count_argument(text: str) -> int:
    """A whole number from 1, as a ``type`` of argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 1")
    return int(text)
