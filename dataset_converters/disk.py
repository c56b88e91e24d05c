"""Free space where the output goes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dataset_converters.errors import ConversionError

#: So much of a disk is never taken: a full one stops whatever else runs on the machine.
SPARE_BYTES = 16 << 20


class Disk:
    """The disk that a folder lies on.

    Args:
        folder: A folder that exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.booked = 0

    def __str__(self) -> str:
        """For messages: where it is and what it has free."""
        place = self.folder.resolve()
        while not os.path.ismount(place):
            place = place.parent
        return f"the disk at {place} has {in_mb(self.free())} free"

    def free(self) -> int:
        """Bytes that may be written."""
        return shutil.disk_usage(self.folder).free

    def require(self, n_bytes: int, purpose: str) -> None:
        """Refuse what does not fit.

        Args:
            n_bytes: How much is to be written.
            purpose: What needs it, with a verb, for the message.

        Raises:
            ConversionError: If less is free, or it would leave less than ``SPARE_BYTES``.
        """
        if n_bytes + SPARE_BYTES > self.free():
            raise ConversionError(
                f"{purpose} {in_mb(n_bytes)}, but {self} ({in_mb(SPARE_BYTES)} of it are kept "
                "free); make room or choose another --output"
            )

    def book(self, n_bytes: int, purpose: str) -> None:
        """Require room for this and all that was booked before."""
        self.booked += n_bytes
        self.require(self.booked, purpose)


def in_mb(n_bytes: int) -> str:
    """A size for people.

    >>> in_mb(1_234_567_890)
    '1,234.6 MB'
    """
    return f"{n_bytes / 1e6:,.1f} MB"
