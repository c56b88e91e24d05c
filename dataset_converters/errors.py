"""What can be wrong with the input, and what is done about it."""

from __future__ import annotations

from collections import Counter


class ConversionError(Exception):
    """The data set cannot be converted; the message says where, what was found and expected."""


class BadRows:
    """What happens to a malformed row: stop there (default), or skip and count it.

    Args:
        skip: Skip malformed rows rather than stop at the first one.
        limit: More skipped rows than this stop the conversion all the same: then it is not a few
            bad rows, but the wrong file.
    """

    def __init__(self, skip: bool = False, limit: int = 1000) -> None:
        self.skip = skip
        self.limit = limit
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def reject(self, file: str, line: int, found: str, expected: str) -> None:
        """Count a malformed row of ``file``, or raise.

        Raises:
            ConversionError: If rows are not to be skipped, or more than ``limit`` were.
        """
        message = f"{file}, line {line}: found {shorten(found)}, expected {expected}"
        if not self.skip:
            raise ConversionError(message)
        self.counts[file] += 1
        self.first.setdefault(file, message)
        if sum(self.counts.values()) > self.limit:
            raise ConversionError(
                f"more than {self.limit} malformed rows (--max_errors); the last one: {message}"
            )


def shorten(text: str, width: int = 120) -> str:
    """Quote ``text`` for a message, cut to ``width`` characters.

    >>> shorten("a" * 5, width=3)
    "'aaa...'"
    """
    return repr(text if len(text) <= width else text[:width] + "...")
