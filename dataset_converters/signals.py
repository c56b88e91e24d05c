"""Ctrl-C and SIGTERM end the command with one line, whatever it is doing.

An exception would not do. Raised in an import, a destructor or the clean-up itself it ends in a
traceback, or is lost. This module imports nothing large, so that it is in force before polars is.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

_WORDS = {signal.SIGINT: b"interrupted\n", signal.SIGTERM: b"terminated\n"}
#: What is to be undone first, such as a folder that is not complete.
cleanups: list[Callable[[], None]] = []


def end_at_signals() -> None:
    """Install the handler, for the whole process; a signal that is ignored stays so (nohup)."""
    for number in _WORDS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, end)


def ignore_signals() -> None:
    """From here on nothing is left to interrupt."""
    for number in _WORDS:
        signal.signal(number, signal.SIG_IGN)


def end(number: int, _frame: FrameType | None) -> None:
    """Undo, say so, exit as a shell reports it (130 for Ctrl-C)."""
    try:
        ignore_signals()  # a second Ctrl-C must not stop the clean-up
        for undo in cleanups:
            undo()
        if os.isatty(2):
            os.write(2, b"\n")  # behind ^C or a progress bar
        os.write(2, _WORDS[signal.Signals(number)])
    finally:
        os._exit(128 + number)
