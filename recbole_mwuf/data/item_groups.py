"""Items by what they have in common: a value of a field, or the whole set of values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NONE = -1  # no value, no group


class FirstSeen:
    """Numbers sets from 0 in the order in which they come, so that more may come later.

    Examples:
        >>> numbers = FirstSeen()
        >>> numbers.of(np.array([[3, 5, -1], [-1, -1, -1], [3, -1, -1], [3, -1, 5]])).tolist()
        [0, -1, 1, 0]
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def of(self, rows: np.ndarray) -> np.ndarray:
        """The number of every row's set, int64 ``[n]``; -1 for a row that holds -1 only."""
        keys = [row[row != NONE].tobytes() for row in rows]
        numbers = (self._numbers.setdefault(k, len(self._numbers)) if k else NONE for k in keys)
        return np.fromiter(numbers, dtype=np.int64, count=len(keys))

    def forget(self, n_left: int) -> None:
        """Only the first sets are known."""
        for key in list(self._numbers)[n_left:]:
            del self._numbers[key]


class ItemGroups:
    """The values of one field, for every item, and the sets that they make up.

    Args:
        value_of_id: For every ID of the field the number of its value; -1 for none.

    Attributes:
        values: int64, shape ``[n_items, L]``; an item's values, each once; -1 fills up.
        sets: int64, shape ``[n_items, 1]``; number of its set of values; -1 if it has none.
    """

    def __init__(self, value_of_id: np.ndarray):
        self.value_of_id = value_of_id
        self.values, self.sets = (np.empty((0, 1), dtype=np.int64) for _ in range(2))
        self._numbers = FirstSeen()

    def append(self, ids: np.ndarray) -> None:
        """Take in items, whose field holds the IDs ``[n]`` or ``[n, L]``."""
        values = np.sort(self.value_of_id[ids.reshape(len(ids), -1)], axis=1)
        values[:, 1:][values[:, 1:] == values[:, :-1]] = NONE
        width = max(values.shape[1], self.values.shape[1])
        self.values = np.concatenate([_widened(self.values, width), _widened(values, width)])
        self.sets = np.concatenate([self.sets, self._numbers.of(values)[:, None]])

    def take_back(self, n_items: int) -> None:
        """The items that were appended last are unknown again."""
        self.values, self.sets = self.values[:-n_items], self.sets[:-n_items]
        self._numbers.forget(_n_groups(self.sets))


class PairGroups:
    """Items by their sets in two fields.

    Attributes:
        sets: int64, shape ``[n_items, 1]``; number of the pair; -1 if either field has no values.
    """

    def __init__(self, first: ItemGroups, second: ItemGroups):
        self._fields = (first, second)
        self._numbers = FirstSeen()
        self.sets = np.empty((0, 1), dtype=np.int64)

    def catch_up(self) -> None:
        """Take in the items that the fields have taken in."""
        pairs = np.concatenate([f.sets[len(self.sets) :] for f in self._fields], axis=1)
        pairs[(pairs == NONE).any(axis=1)] = NONE
        self.sets = np.concatenate([self.sets, self._numbers.of(pairs)[:, None]])

    def take_back(self, n_items: int) -> None:
        """The items that were appended last are unknown again."""
        self.sets = self.sets[:-n_items]
        self._numbers.forget(_n_groups(self.sets))


def value_numbers(tokens: Sequence[str], width: float | None) -> np.ndarray:
    """The number of every ID's value, int64 ``[n_ids]``; ID 0 stands for none.

    Args:
        tokens: Token of every ID.
        width: Numbers that lie in one band of this width are one value; None: each is its own.

    Examples:
        >>> value_numbers(["[PAD]", "1994", "1995", "1999", "unknown"], 5).tolist()
        [-1, 0, 1, 1, 2]
    """
    if width is None:
        return np.arange(len(tokens)) - 1
    numbers: dict[object, int] = {}
    values = [numbers.setdefault(_band(token, width), len(numbers)) for token in tokens[1:]]
    return np.array([NONE, *values], dtype=np.int64)


def _band(token: str, width: float) -> object:
    try:
        return float(token) // width
    except ValueError:  # not a number: a value of its own
        return token


def _n_groups(sets: np.ndarray) -> int:
    return int(sets.max(initial=NONE)) + 1


def _widened(values: np.ndarray, width: int) -> np.ndarray:
    missing = width - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing)), constant_values=NONE)
