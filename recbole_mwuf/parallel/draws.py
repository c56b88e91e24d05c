"""Random numbers of several processes: drawn for the whole batch, as one process draws them.

Each process has the same generator in the same state. Were it to draw for its own samples only, the
first process and the second would get the same numbers, and one process others than two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from recbole_mwuf.parallel.shard import Shard

Batch = TypeVar("Batch")

_dropout, _rand = functional.dropout, torch.rand


def part_of(batch: Batch, shard: Shard, n_whole: int) -> Batch:
    """Note on a batch that it is a process's part of one with so many samples, or tasks."""
    vars(batch)["_part_of"] = (shard, n_whole)
    return batch


@contextmanager
def whole_batch_draws(batch: Any) -> Iterator[None]:
    """While open, dropout and ``torch.rand`` draw what they draw for the whole batch.

    For one process, and for a batch of which nothing is noted, nothing changes.

    Args:
        batch: What :func:`part_of` returned.
    """
    shard, n_whole = vars(batch).get("_part_of", (Shard(), 0))
    if shard.size == 1:
        yield
        return
    draws = _WholeBatchDraws(shard, n_whole)
    # the names that modules look up: a mode of torch's does not see into its attention
    functional.dropout, torch.rand = draws.dropout, draws.rand
    try:
        yield
    finally:
        functional.dropout, torch.rand = _dropout, _rand


class _WholeBatchDraws:
    """Draws whose first dimension is the samples, or as many rows of each; a process takes its own.

    A draw of another shape is left as it is, and so is what torch draws inside a kernel
    (``scaled_dot_product_attention``): no base of RecBole's or ours has any.
    """

    def __init__(self, shard: Shard, n_whole: int):
        self.shard, self.n_whole = shard, n_whole
        self.n_own = len(shard.of(range(n_whole)))

    def dropout(
        self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """In place of torch's."""
        whole = self._whole_shape(input.shape)
        if not training or p == 0 or whole is None:
            return _dropout(input, p, training, inplace)
        mask = self._own(_dropout(input.new_ones(whole), p), input.shape)
        return input.mul_(mask) if inplace else input * mask

    def rand(self, *size: Any, **kwargs: Any) -> Tensor:
        """In place of torch's."""
        shape = tuple(size) if all(isinstance(n, int) for n in size) else tuple(size[0])
        whole = self._whole_shape(shape)
        if whole is None:
            return _rand(*size, **kwargs)
        return self._own(_rand(whole, **kwargs), shape)

    def _whole_shape(self, own: Sequence[int]) -> tuple[int, ...] | None:
        if not own or not self.n_own or own[0] % self.n_own:
            return None
        return (own[0] // self.n_own * self.n_whole, *own[1:])

    def _own(self, drawn: Tensor, shape: Sequence[int]) -> Tensor:
        return self.shard.of(drawn.unflatten(0, (self.n_whole, -1))).reshape(shape)
