"""Batches of one of the split's sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction

from recbole_mwuf.data.protocols import Batches
from recbole_mwuf.parallel import Shard, part_of

EVENT_TIME = "event_time"  # column of a batch: float64, for RecBole keeps times as float32


class SetLoader:
    """Iterates over one set of the cold-start split in batches of RecBole Interactions.

    Of several processes each gets a share of every batch to train on, every n-th batch to score.

    Args:
        dataset: The split data set, or something with batches.
        name: One of :data:`~recbole_mwuf.data.split.SETS`.
        batch_size: Rows in a batch; the last batch may be smaller.
        phase: For scoring, the last consumed phase; ``None`` for training on the rows.
        order: ``data`` (as they stand), ``shuffled`` (anew in every pass), ``time`` or ``user``.
        seed: Seed of the shuffling.
        shard: Which of several processes this is.
    """

    def __init__(
        self,
        dataset: Batches,
        name: str,
        batch_size: int,
        phase: str | None = None,
        order: str = "data",
        seed: int = 0,
        shard: Shard = Shard(),  # noqa: B008  (a tuple)
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.phase = phase
        self.shuffle = order == "shuffled"
        self.shard = shard
        self.rows = torch.from_numpy(dataset.ordered_rows(name, order))
        self.generator = torch.Generator().manual_seed(seed)

    @classmethod
    def training(
        cls,
        config: Any,
        dataset: Batches,
        name: str,
        order: str = "shuffled",
        shard: Shard = Shard(),  # noqa: B008
    ) -> SetLoader:
        """A set's samples in batches of ``train_batch_size``, shuffled from the run's seed."""
        size, seed = config["train_batch_size"], config["seed"]
        return cls(dataset, name, size, order=order, seed=seed, shard=shard)

    @property
    def sample_size(self) -> int:
        """Rows in one pass."""
        return len(self.rows)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[Interaction]:
        rows = self.rows
        if self.shuffle:
            rows = rows[torch.randperm(len(rows), generator=self.generator)]
        rows = rows.to(self.dataset.config["device"])
        for number, chunk in enumerate(rows.split(self.batch_size)):
            if self.phase is None:
                yield part_of(self.dataset.batch(self.shard.of(chunk)), self.shard, len(chunk))
            elif self.shard.takes(number):
                yield self.dataset.batch(chunk, self.phase)


class ItemLoader:
    """One set's samples item by item; a batch holds all samples of its items, and their times.

    Args:
        dataset: The split data set, or something with batches.
        name: One of :data:`~recbole_mwuf.data.split.SETS`.
        batch_size: Rows after which a batch ends, as soon as its last item is complete.
    """

    def __init__(self, dataset: Batches, name: str, batch_size: int):
        self.dataset = dataset
        self.rows = dataset.ordered_rows(name, "item")
        items = dataset.items_of(self.rows)
        first = np.flatnonzero(np.diff(items, prepend=-1))  # row that an item begins with
        starts = first[np.flatnonzero(np.diff(first // batch_size, prepend=-1))]
        self._chunks = np.split(self.rows, starts[1:]) if len(starts) else []

    @property
    def sample_size(self) -> int:
        """Rows in one pass."""
        return len(self.rows)

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[Interaction]:
        device = self.dataset.config["device"]
        for chunk in self._chunks:
            batch = self.dataset.batch(torch.from_numpy(chunk).to(device))
            batch[EVENT_TIME] = torch.from_numpy(self.dataset.times[chunk]).to(device)
            yield batch


def latest(times: torch.Tensor, item_of_row: torch.Tensor, n_items: int) -> torch.Tensor:
    """The latest of the times ``[B]`` of each item, ``[n_items]``."""
    start = times.new_full((n_items,), -torch.inf)
    return start.scatter_reduce_(0, item_of_row, times, "amax")
