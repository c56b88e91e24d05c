"""What went wrong, in a line, and the exit status that says so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from recbole_mwuf.errors import UserError


def exit_status(command: Callable[[], None], arguments: Sequence[str]) -> int:
    """Run a command; tell what went wrong in a line, or with ``--state=DEBUG`` in full.

    Returns:
        int: 0 if it ended well, 2 for a mistake of the user's, 1 for any other failure, 130 after
        Ctrl-C.
    """
    debug = any(a.lower() == "--state=debug" for a in arguments)
    try:
        command()
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        print(f"error: {kind}{error}", file=sys.stderr)
        if not isinstance(error, UserError):
            print("(--state=DEBUG shows where it happened)", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
