"""Counts of positive labels, from which the part of any fold of items can be left out."""

from __future__ import annotations

import numpy as np
from torch import Tensor, from_numpy, int64, zeros

_BEFORE_ALL = -1  # below every key


class Tally:
    """How many samples each of many entities has, and how many of them are positive.

    An entity is a whole number, such as one for a pair of user and genre. Every sample belongs to
    a fold of items. Samples are added without going through those that are there: parts of falling
    size are kept, and two of like size become one, so there are few.

    Args:
        n_folds: How many folds there are.

    Examples:
        Entity 7 has two samples in fold 0, one of them positive, and a positive one in fold 1.

        >>> tally = Tally(n_folds=2)
        >>> tally.add(np.array([7, 7, 7]), np.array([0, 0, 1]), np.array([1.0, 0.0, 1.0]))
        >>> positive, count = tally.without(np.array([7, 7, 8]), np.array([0, 1, 0]))
        >>> positive.tolist(), count.tolist()
        ([1, 1, 0], [1, 2, 0])
    """

    def __init__(self, n_folds: int):
        self.n_folds = n_folds
        self._parts: list[_Part] = []

    def add(self, entities: np.ndarray, folds: np.ndarray, labels: np.ndarray) -> None:
        """Count samples.

        Args:
            entities: int64, shape ``[...]``; negative for none.
            folds: Fold of each, of a shape that broadcasts to it.
            labels: 0 or 1, of a shape that broadcasts to it.
        """
        counted = entities >= 0
        keys = (entities * self.n_folds + folds)[counted]
        positive = np.broadcast_to(labels, entities.shape)[counted].astype(np.int64)
        self._append(_Part.of(keys, np.stack([positive, np.ones_like(positive)]), self.n_folds))

    def _append(self, part: _Part) -> None:
        while self._parts and len(self._parts[-1]) < 2 * len(part):
            part = self._parts.pop().joined(part)
        if len(part):
            self._parts.append(part)

    def without(self, entities: np.ndarray, folds: np.ndarray) -> np.ndarray:
        """Positive samples and samples of entities in all folds but one.

        Args:
            entities: int64, shape ``[...]``; negative for none, which has no samples.
            folds: The fold to leave out, of a shape that broadcasts to it.

        Returns:
            np.ndarray: int64, shape ``[2, ...]``.
        """
        counts = np.zeros((2, *entities.shape), dtype=np.int64)
        for part in self._parts:
            counts += part.without(entities, folds)
        return counts

    def pack(self) -> None:
        """Make one part of all: worth its while before much is looked up."""
        while len(self._parts) > 1:
            last = self._parts.pop()
            self._parts.append(self._parts.pop().joined(last))

    def copy(self) -> Tally:
        """Another one that starts with the same samples."""
        other = Tally(self.n_folds)
        other._parts = list(self._parts)  # parts never change
        return other

    def tensor(self) -> Tensor:
        """Everything for a checkpoint: key, positive samples, samples; int64 ``[3, n_keys]``."""
        self.pack()
        if not self._parts:
            return zeros(3, 0, dtype=int64)
        (part,) = self._parts
        return from_numpy(np.concatenate([part.keys[None], part.counts]))

    @classmethod
    def from_tensor(cls, tensor: Tensor, n_folds: int) -> Tally:
        """The counterpart of :meth:`tensor`."""
        tally = cls(n_folds)
        content = tensor.numpy()
        tally._append(_Part(content[0], content[1:], n_folds))
        return tally


class _Part:
    """Samples by key, ``entity * n_folds + fold``, and their sums over an entity's folds.

    Args:
        keys: int64, shape ``[n]``, rising.
        counts: int64, shape ``[2, n]``; positive samples and samples.
        n_folds: How many folds there are.
    """

    def __init__(self, keys: np.ndarray, counts: np.ndarray, n_folds: int):
        self.keys, self.counts, self.n_folds = keys, counts, n_folds
        self._entities, self._totals = _summed(keys // n_folds, counts)

    @classmethod
    def of(cls, keys: np.ndarray, counts: np.ndarray, n_folds: int) -> _Part:
        """From keys in any order, which may repeat."""
        order = np.argsort(keys, kind="stable")
        return cls(*_summed(keys[order], counts[:, order]), n_folds)

    def joined(self, other: _Part) -> _Part:
        keys = np.concatenate([self.keys, other.keys])
        counts = np.concatenate([self.counts, other.counts], axis=1)
        return _Part.of(keys, counts, self.n_folds)

    def without(self, entities: np.ndarray, folds: np.ndarray) -> np.ndarray:
        """Positive samples and samples in all folds but one, ``[2, ...]``."""
        own = _look_up(self.keys, self.counts, entities * self.n_folds + folds)
        return _look_up(self._entities, self._totals, entities) - own

    def __len__(self) -> int:
        return len(self.keys)


def _summed(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every key once, with the sum of its counts; keys do not fall."""
    first = np.flatnonzero(np.diff(keys, prepend=_BEFORE_ALL))
    # reduceat takes no empty list
    return keys[first], np.add.reduceat(counts, first, axis=1) if len(first) else counts[:, :0]


def _look_up(known: np.ndarray, counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The counts of wanted keys, ``[2, ...]``, 0 where one is unknown; known keys rise."""
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, counts[:, place], 0)
