"""What went wrong, in a line, and the exit status that says so."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from recbole_mwuf.errors import UserError


def exit_status(command: Callable[[], int], arguments: Sequence[str]) -> int:
    """Run a command; tell what went wrong in a line, or with ``--state=DEBUG`` in full.

    Args:
        command: Does it and returns an exit status.
        arguments: The command line.

    Returns:
        int: What the command returned; 2 for a mistake of the user's, 1 for any other failure,
        130 after Ctrl-C.
    """
    try:
        status = command()
        sys.stdout.flush()  # here, where a reader that has gone is no traceback
        return status
    except SystemExit as end:  # argparse, after --help
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt as interrupt:
        start = "\n" if sys.stderr.isatty() else ""  # behind ^C
        _tell(start + "; ".join(["interrupted", *map(str, interrupt.args)]))
        return 130
    except BrokenPipeError:  # what reads the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE, as a shell reports it
    except Exception as error:
        if "--state=debug" in "=".join(arguments).lower():
            raise
        if isinstance(error, UserError):
            _tell(f"error: {_in_a_line(error)}")
            return 2
        where = "(--state=DEBUG shows where it happened)"
        _tell(f"error: {type(error).__name__}: {_in_a_line(error)} {where}")
        return 1


@contextmanager
def loading() -> Iterator[None]:
    """While libraries are imported Ctrl-C waits for their end; a second one does not.

    Raised within an import, a KeyboardInterrupt may be lost or come out as another error.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or handler is not signal.default_int_handler:
        yield
        return
    pressed = []

    def wait(*_: object) -> None:
        pressed.append(True)
        signal.signal(signal.SIGINT, handler)

    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed:
        raise KeyboardInterrupt


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split("\n"))


def _tell(text: str) -> None:
    print(text, file=sys.stderr)
