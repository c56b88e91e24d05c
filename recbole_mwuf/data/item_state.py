"""What every item has shown so far, in memory that does not grow with the interactions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recbole_mwuf.data.dataset import ColdStartDataset


class Ranges(NamedTuple):
    """What came before each of some interactions, as ranges of one array of users.

    Attributes:
        users: int64, shape ``[n_known]``; users by item, oldest first.
        start: int64, shape ``[n_rows]``; where a row's history begins in ``users``.
        end: int64, shape ``[n_rows]``; its exclusive end.
    """

    users: np.ndarray
    start: np.ndarray
    end: np.ndarray


@dataclass
class ItemState:
    """Running figures of every item: the online counterpart of an InteractionHistory.

    Attributes:
        seen: int64, shape ``[n_items]``; labelled samples so far.
        counted: int64, shape ``[n_items]``; those that count for U(v).
        mean_users: float32, shape ``[n_items, k]``; mean embedding of U(v), zero if it is empty.
        recent: int64, shape ``[n_items, L]``; the last L users, oldest first, then zeros; L is 0
            where the base reads no histories.
        last_time: float64, shape ``[n_items]``; time of the latest sample, -inf before the first.
    """

    seen: np.ndarray
    counted: np.ndarray
    mean_users: np.ndarray
    recent: np.ndarray
    last_time: np.ndarray

    @classmethod
    def after(
        cls,
        dataset: ColdStartDataset,
        phase: str,
        mean_users: Tensor,
        positive_only: bool,
        length: int,
    ) -> ItemState:
        """The state of a split data set's items once a phase has been consumed.

        Args:
            dataset: The split data set.
            phase: One of :data:`~recbole_mwuf.data.split.PHASES`.
            mean_users: G(U(v)) after that phase, ``[n_items, k]``.
            positive_only: Whether only positive samples count for U(v).
            length: L.
        """
        history = dataset.history
        end = history.seen(phase)
        seen = end - history.first
        users, offsets = history.bags(phase, positive_only)
        last_row = dataset.split.order[np.maximum(end - 1, 0)]
        return cls(
            seen=seen,
            counted=np.diff(np.append(offsets, len(users))),
            mean_users=mean_users.cpu().numpy(),
            recent=_last(history.users, end, seen, length),
            last_time=np.where(seen > 0, dataset.times[last_row], -np.inf),
        )

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> ItemState:
        """The counterpart of :meth:`tensors`."""
        return cls(**{name: tensor.numpy() for name, tensor in tensors.items()})

    def tensors(self) -> dict[str, Tensor]:
        """The state for a checkpoint."""
        return {f.name: torch.from_numpy(getattr(self, f.name)) for f in fields(self)}

    def grow(self, n_items: int) -> None:
        """Make room for more items, which have shown nothing."""
        for field in fields(self):
            old = getattr(self, field.name)
            fill = -np.inf if field.name == "last_time" else 0
            new = np.full((n_items, *old.shape[1:]), fill, dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, field.name, new)

    def count(self, items: np.ndarray, user_embeddings: Tensor) -> None:
        """Let U(v) grow by one user for every row.

        Args:
            items: int64, shape ``[B]``.
            user_embeddings: The rows' users, ``[B, k]``.
        """
        touched, which, more = np.unique(items, return_inverse=True, return_counts=True)
        total = user_embeddings.new_zeros(len(touched), user_embeddings.shape[1])
        total.index_add_(0, torch.from_numpy(which).to(total.device), user_embeddings)
        self.counted[touched] += more
        mean = self.mean_users[touched]
        step = (total.cpu().numpy() - more[:, None] * mean) / self.counted[touched, None]
        self.mean_users[touched] = mean + step

    def extend(self, items: np.ndarray, users: np.ndarray, times: np.ndarray) -> Ranges:
        """Append interactions to their items' histories, in time order, ties by row number.

        Args:
            items: int64, shape ``[B]``.
            users: int64, shape ``[B]``.
            times: float64, shape ``[B]``.

        Returns:
            Ranges: the strictly earlier users of every row, for training on it.
        """
        order = np.lexsort((times, items))
        touched, first, more = np.unique(items[order], return_index=True, return_counts=True)
        steps = np.arange(self.recent.shape[1])
        known = np.minimum(self.seen[touched], len(steps))
        begin = np.cumsum(known + more) - (known + more)
        line = np.empty(int((known + more).sum()), dtype=np.int64)
        filled = steps < known[:, None]
        line[(begin[:, None] + steps)[filled]] = self.recent[touched][filled]
        position = np.repeat(begin + known - first, more) + np.arange(len(order))
        line[position] = users[order]

        start, end = np.empty_like(order), np.empty_like(order)
        start[order], end[order] = np.repeat(begin, more), position
        self.recent[touched] = _last(line, begin + known + more, known + more, len(steps))
        self.seen[touched] += more
        np.maximum.at(self.last_time, items, times)
        return Ranges(line, start, end)

    def ranges(self, items: np.ndarray) -> Ranges:
        """All that some items have shown, shape ``[B]``: for scoring."""
        length = self.recent.shape[1]
        start = items * length
        return Ranges(self.recent.ravel(), start, start + np.minimum(self.seen[items], length))


def _last(users: np.ndarray, end: np.ndarray, size: np.ndarray, length: int) -> np.ndarray:
    """The last users of ranges that end at ``end``, oldest first, then zeros, ``[n, length]``."""
    kept = np.minimum(size, length)
    steps = np.arange(length)
    where = np.minimum((end - kept)[:, None] + steps, len(users) - 1)
    return np.where(steps < kept[:, None], users[where], 0)
