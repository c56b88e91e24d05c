"""Who interacted with an item so far, without a look into the future.

Everything is an index into one array: the users of all interactions sorted by item, then time,
then row. What an item has shown up to any moment is then a range of that array.
"""

from __future__ import annotations

import numpy as np

from recbole_mwuf.data.split import PHASES, ColdStartSplit


class InteractionHistory:
    """The users of every item in the order of their interactions.

    Args:
        split: The cold-start split of the interactions.
        users: User of every row, shape ``[n_rows]``.
        labels: Label of every row, shape ``[n_rows]``.

    Attributes:
        users: int64, shape ``[n_rows]``; users sorted by item, time, row.
        labels: float32, shape ``[n_rows]``; their labels.
        first: int64, shape ``[n_items]``; where an item's range begins.
        position: int64, shape ``[n_rows]``; where a row of the data stands in ``users``.
    """

    def __init__(self, split: ColdStartSplit, users: np.ndarray, labels: np.ndarray):
        self.split = split
        self._moments: dict[str, np.ndarray] = {}
        self.users = np.asarray(users, dtype=np.int64)[split.order]
        self.labels = np.asarray(labels, dtype=np.float32)[split.order]
        self.first = split.first[:-1]
        self.position = np.empty(len(split.order), dtype=np.int64)
        self.position[split.order] = np.arange(len(split.order))

    def seen(self, phase: str) -> np.ndarray:
        """Where each item's range of known interactions ends once a phase has been consumed.

        Old items have shown all their rows (they are the pre-training data); a new item has
        shown ``0, K, 2K, 3K`` rows after cold, warm-a, warm-b, warm-c; other items none.

        Args:
            phase: One of :data:`~recbole_mwuf.data.split.PHASES`, or a moment.

        Returns:
            np.ndarray: int64, shape ``[n_items]``; exclusive end in :attr:`users`.
        """
        if phase in self._moments:
            return self._moments[phase]
        return self._after(np.full(len(self.first), PHASES.index(phase)))

    def _after(self, consumed: np.ndarray) -> np.ndarray:
        known = np.where(self.split.is_new, consumed * self.split.phase_size, self.split.n_known)
        return self.first + known

    def add_moment(self, name: str, consumed: np.ndarray) -> None:
        """Give a moment of the clock a name that stands beside the phases.

        Args:
            name: Is taken wherever a phase is.
            consumed: Warm-up sets that each new item has been learned from, ``[n_items]``.
        """
        self._moments[name] = self._after(consumed)

    def known_rows(self, phase: str) -> np.ndarray:
        """Rows of the data that are known once a phase has been consumed, in their order."""
        item = self.split.items_in_order()
        known = np.arange(len(self.users)) < self.seen(phase)[item]
        return np.sort(self.split.order[known])

    def before(self, rows: np.ndarray) -> np.ndarray:
        """Where the strictly earlier interactions of each row's item end: for training on it."""
        return self.position[rows]

    def bags(self, phase: str, positive_only: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """U(v) of every item after a phase, as bags for ``torch.nn.functional.embedding_bag``.

        Args:
            phase: The last phase that was consumed.
            positive_only: Count only interactions with a positive label.

        Returns:
            tuple: users, shape ``[n_known]``, and each item's offset into them, ``[n_items]``.
        """
        length = self.seen(phase) - self.first
        item = self.split.items_in_order()
        known = np.arange(len(self.users)) - self.first[item] < length[item]
        if positive_only:
            known &= self.labels > 0
        sizes = np.bincount(item[known], minlength=len(self.first))
        return self.users[known], np.concatenate(([0], np.cumsum(sizes)[:-1]))
