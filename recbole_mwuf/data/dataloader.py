"""Batches of one of the split's sets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from recbole.data.interaction import Interaction

from recbole_mwuf.data.dataset import ColdStartDataset
from recbole_mwuf.distributed import own_share, rank, world_size


class SetLoader:
    """Iterates over one set of the cold-start split in batches of RecBole Interactions.

    Of several processes each gets a share of every batch to train on, every n-th batch to score.

    Args:
        dataset: The split data set.
        name: One of :data:`~recbole_mwuf.data.split.SETS`.
        batch_size: Rows in a batch; the last batch may be smaller.
        phase: For scoring, the last consumed phase; ``None`` for training on the rows.
        order: ``data`` (as they stand), ``shuffled`` (anew in every pass), ``time`` or ``user``.
        seed: Seed of the shuffling.
    """

    def __init__(
        self,
        dataset: ColdStartDataset,
        name: str,
        batch_size: int,
        phase: str | None = None,
        order: str = "data",
        seed: int = 0,
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.phase = phase
        self.shuffle = order == "shuffled"
        self.rows = torch.from_numpy(dataset.split.rows(name))
        if order == "time":
            self.rows = self.rows[np.argsort(dataset.times[self.rows], kind="stable")]
        elif order == "user":
            users = dataset.inter_feat[dataset.uid_field].cpu()[self.rows]
            self.rows = self.rows[torch.argsort(users, stable=True)]
        self.generator = torch.Generator().manual_seed(seed)

    @classmethod
    def training(
        cls, config, dataset: ColdStartDataset, name: str, order: str = "shuffled"
    ) -> SetLoader:
        """A set's samples in batches of ``train_batch_size``, shuffled from the run's seed."""
        return cls(dataset, name, config["train_batch_size"], order=order, seed=config["seed"])

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
                yield self.dataset.batch(own_share(chunk))
            elif number % world_size() == rank():
                yield self.dataset.batch(chunk, self.phase)
