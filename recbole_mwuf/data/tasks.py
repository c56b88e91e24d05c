"""Batches of tasks, for methods that learn to learn: a task is an item or a user."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from recbole.data.interaction import Interaction

from recbole_mwuf.data.dataset import ColdStartDataset
from recbole_mwuf.parallel import Shard, part_of

SUPPORT, QUERY = "task_support", "task_query"  # 1 where a row belongs to it; both 0: padding


class ItemTaskLoader:
    """Batches of two disjoint mini-batches of K samples for each of several old items.

    A batch holds the first mini-batch of all its items, then the second one in the same order.
    Every sample is drawn at most once in an epoch; K is the phase size.

    Args:
        dataset: The split data set.
        batch_size: Samples in a mini-batch of all items together, at least K.
        seed: Seed of the drawing.
        shard: Which of several processes this is.
    """

    def __init__(
        self,
        dataset: ColdStartDataset,
        batch_size: int,
        seed: int,
        shard: Shard = Shard(),  # noqa: B008  (a tuple)
    ):
        self.dataset, self.shard = dataset, shard
        self.size = dataset.split.phase_size
        self.tasks_in_batch = max(1, batch_size // self.size)
        self.random = np.random.default_rng(seed)
        split = dataset.split
        n_tasks = np.where(split.is_old, split.n_known // (2 * self.size), 0)
        self.items = np.repeat(np.arange(len(n_tasks)), n_tasks)
        start_of_item = np.concatenate(([0], np.cumsum(n_tasks)[:-1]))
        self.task_of_item = np.arange(len(self.items)) - start_of_item[self.items]

    @property
    def sample_size(self) -> int:
        return len(self.items) * 2 * self.size

    def __len__(self) -> int:
        return -(-len(self.items) // self.tasks_in_batch)

    def __iter__(self) -> Iterator[Interaction]:
        split, device = self.dataset.split, self.dataset.config["device"]
        # shuffle the rows within every item, then let task t of an item take its t-th 2K rows;
        # one sort by item + fraction: four times faster than one by item, then fraction
        items, fraction = split.items_in_order(), self.random.random(len(split.order))
        if split.cut is not None:  # what comes after it stands behind
            rank = np.arange(len(items)) - split.first[items]
            fraction = (fraction + (rank >= split.n_known[items])) / 2
        shuffled = np.argsort(items + fraction)
        tasks = self.random.permutation(len(self.items))
        for whole_chunk in np.array_split(tasks, len(self)):
            chunk = self.shard.of(whole_chunk)
            start = split.first[self.items[chunk]] + 2 * self.size * self.task_of_item[chunk]
            positions = start[:, None] + np.arange(2 * self.size)
            rows = split.order[shuffled[positions]].reshape(len(chunk), 2, self.size)
            rows = torch.from_numpy(rows.swapaxes(0, 1).ravel()).to(device)
            yield self.dataset.batch(rows)


class UserTaskLoader:
    """Batches of users' tasks: each a few samples of one user, half support and half query.

    A user's samples are shuffled and cut into tasks; a rest of too few samples is left out.
    Shorter tasks are padded.

    Args:
        dataset: The split data set.
        name: The set whose samples make up the tasks.
        task_size: Samples in a task.
        min_samples: Samples in the smallest task.
        batch_size: Samples in a batch.
        seed: Seed of the shuffling.
        shard: Which of several processes this is.
    """

    def __init__(
        self,
        dataset: ColdStartDataset,
        name: str,
        task_size: int,
        min_samples: int,
        batch_size: int,
        seed: int,
        shard: Shard = Shard(),  # noqa: B008
    ):
        self.dataset, self.shard = dataset, shard
        self.size, self.min_samples = task_size, min_samples
        self.tasks_in_batch = max(1, batch_size // task_size)
        self.random = np.random.default_rng(seed)
        self.rows = dataset.split.rows(name)
        self.users = dataset.inter_feat[dataset.uid_field].cpu().numpy()[self.rows]
        counts = np.bincount(self.users)
        full, rest = counts // self.size, counts % self.size
        self.n_tasks = int(full.sum() + (rest >= self.min_samples).sum())
        self.sample_size = int((full * self.size).sum() + rest[rest >= self.min_samples].sum())

    def __len__(self) -> int:
        return -(-self.n_tasks // self.tasks_in_batch)

    def __iter__(self) -> Iterator[Interaction]:
        order = np.lexsort((self.random.random(len(self.rows)), self.users))
        users = self.users[order]
        first = np.searchsorted(users, users)  # where the row's user begins
        place = np.arange(len(users)) - first
        starts = np.flatnonzero(place % self.size == 0)
        lengths = np.diff(np.append(starts, len(users)))
        enough = lengths >= self.min_samples
        starts, lengths = starts[enough], lengths[enough]
        tasks = self.random.permutation(len(starts))
        for whole_chunk in np.array_split(tasks, len(self)) if len(tasks) else []:
            chunk = self.shard.of(whole_chunk)
            batch = self._batch(order, starts[chunk, None], lengths[chunk, None])
            yield part_of(batch, self.shard, len(whole_chunk))

    def _batch(self, order: np.ndarray, start: np.ndarray, length: np.ndarray) -> Interaction:
        step = np.arange(self.size)
        rows = self.rows[order[start + np.minimum(step, length - 1)]]
        is_support = step < length // 2
        return _task_batch(self.dataset, rows, is_support, ~is_support & (step < length))


class UserQueryLoader:
    """Batches of users' tasks in a warm-up phase: what they showed before, and all rows of now.

    A task's support is what its user has shown before the phase, the latest half a task at most,
    perhaps nothing; its queries are rows of the phase. Every row of the phase is a query of one
    task.

    Args:
        dataset: The split data set.
        phase: The warm-up set.
        before: The phase, or moment, whose samples are known before it.
        task_size: Samples in a task, half of them support.
        batch_size: Queries in a batch.
        seed: Seed of the shuffling.
        shard: Which of several processes this is.
    """

    def __init__(
        self,
        dataset: ColdStartDataset,
        phase: str,
        before: str,
        task_size: int,
        batch_size: int,
        seed: int,
        shard: Shard = Shard(),  # noqa: B008
    ):
        self.dataset, self.shard = dataset, shard
        n_support = task_size // 2
        self.n_queries = task_size - n_support
        self.tasks_in_batch = max(1, batch_size // self.n_queries)
        self.random = np.random.default_rng(seed)
        self.rows = dataset.ordered_rows(phase, "user")
        self.users = dataset.inter_feat[dataset.uid_field].cpu().numpy()[self.rows]
        self.support, self.known = latest_rows(dataset, before, n_support)
        first = np.searchsorted(self.users, self.users)  # where the row's user begins
        place = np.arange(len(self.users)) - first
        self.starts = np.flatnonzero(place % self.n_queries == 0)
        self.lengths = np.diff(np.append(self.starts, len(self.users)))
        self.sample_size = len(self.rows)

    def __len__(self) -> int:
        return -(-len(self.starts) // self.tasks_in_batch)

    def __iter__(self) -> Iterator[Interaction]:
        order = np.lexsort((self.random.random(len(self.rows)), self.users))
        tasks = self.random.permutation(len(self.starts))
        for whole_chunk in np.array_split(tasks, len(self)) if len(tasks) else []:
            batch = self._batch(order, self.shard.of(whole_chunk))
            yield part_of(batch, self.shard, len(whole_chunk))

    def _batch(self, order: np.ndarray, tasks: np.ndarray) -> Interaction:
        step = np.arange(self.n_queries)
        start, length = self.starts[tasks, None], self.lengths[tasks, None]
        queries = self.rows[order[start + np.minimum(step, length - 1)]]
        users = self.users[self.starts[tasks]]
        known = self.known[users]
        rows = np.concatenate([self.support[users], queries], axis=1)
        is_support = np.concatenate([known, np.zeros_like(queries, dtype=bool)], axis=1)
        is_query = np.concatenate([np.zeros_like(known), step < length], axis=1)
        return _task_batch(self.dataset, rows, is_support, is_query)


def latest_rows(dataset: ColdStartDataset, phase: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Every user's latest rows among those that are known once a phase has been consumed.

    Args:
        dataset: The split data set.
        phase: The phase, or a moment.
        size: Rows of a user at most.

    Returns:
        tuple: rows, int64 ``[n_users, size]``, latest first; which of them there are, bool.
    """
    known = dataset.history.known_rows(phase)
    users = dataset.inter_feat[dataset.uid_field].cpu().numpy()[known]
    order = np.lexsort((dataset.times[known], users))
    last = np.cumsum(np.bincount(users, minlength=dataset.user_num))
    count = np.diff(last, prepend=0)
    back = np.arange(size)
    position = np.maximum(last[:, None] - 1 - back, 0)
    return known[order][position], back < count[:, None]


def _task_batch(
    dataset: ColdStartDataset, rows: np.ndarray, is_support: np.ndarray, is_query: np.ndarray
) -> Interaction:
    """Tasks ``[n_tasks, rows]`` as one batch with the columns :data:`SUPPORT` and :data:`QUERY`."""
    device = dataset.config["device"]
    batch = dataset.batch(torch.from_numpy(rows.ravel()).to(device))
    for name, chosen in ((SUPPORT, is_support), (QUERY, is_query)):
        batch[name] = torch.from_numpy(chosen.astype(np.float32).ravel()).to(device)
    return batch
