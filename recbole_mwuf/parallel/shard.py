"""Which part of a batch a process works on."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

Units = TypeVar("Units")


class Shard(NamedTuple):
    """One of ``size`` processes; by default the only one.

    Examples:
        >>> Shard(1, 2).of([10, 11, 12, 13, 14])
        [11, 13]
        >>> Shard(1, 2).of([10])  # too few to share: everyone computes the same
        [10]
    """

    rank: int = 0
    size: int = 1

    def of(self, units: Units) -> Units:
        """This process's rows or tasks of a batch; all of it if there are too few to share."""
        return units if len(units) < self.size else units[self.rank :: self.size]  # type: ignore

    def takes(self, number: int) -> bool:
        """Whether a whole batch of this number is this process's."""
        return number % self.size == self.rank
