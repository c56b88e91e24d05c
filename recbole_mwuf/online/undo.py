"""Learning that fails leaves everything as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recbole_mwuf.data import Catalog, ItemState
from recbole_mwuf.trainer.loop import WarmUpLoop
from recbole_mwuf.trainer.optimizer import row_wise
from recbole_mwuf.trainer.row_wise_adam import RowWiseAdam

PutBack = Callable[[], Any]


@contextmanager
def all_or_nothing(
    loop: WarmUpLoop, state: ItemState, catalog: Catalog, items: np.ndarray
) -> Iterator[None]:
    """While open, items may learn; if that fails or is interrupted, all is put back.

    Of tables with a row per item the rows of these items are kept, of networks and their
    optimisers everything: it takes time in proportion to the batch, not to the tables.

    Args:
        loop: Its model, without the fixed base, and its optimiser.
        state: What every item has shown.
        catalog: Has the taste features.
        items: Those that learn, int64, each once.
    """
    rows = torch.from_numpy(items).to(loop.device)
    n_items = loop.model.table.n_items
    put_back = [_kept_loop(loop, rows, n_items), *_kept_modules(loop, rows, n_items)]
    put_back.append(_assigner(vars(catalog), "taste", catalog.taste))
    for field in fields(state):
        values = getattr(state, field.name)
        put_back.append(_assigner(values, items, values[items]))
    try:
        yield
    except BaseException:  # Ctrl-C as well
        with torch.no_grad():
            for restore in put_back:
                restore()
        raise


def _assigner(values: Any, index: Any, kept: Any) -> PutBack:
    return lambda: values.__setitem__(index, kept)


def _kept(tensor: Tensor, rows: Tensor, by_rows: bool) -> PutBack:
    """Puts a tensor's content back, or that of some rows."""
    if by_rows:
        return _assigner(tensor, rows, tensor.detach()[rows])
    return _assigner(tensor, ..., tensor.detach().clone())


def _kept_modules(loop: WarmUpLoop, rows: Tensor, n_items: int) -> Iterator[PutBack]:
    """Parameters and buffers of all modules but the base's, also where one is replaced."""
    parts = [part for name, part in loop.model.named_children() if name != "base"]
    sparse = {id(table) for part in parts for table in row_wise(part)}
    for module in (loop.model, *(module for part in parts for module in part.modules())):
        for own in (module._parameters, module._buffers):
            yield _updater(own)
            for tensor in own.values():
                if tensor is not None:
                    is_table = isinstance(tensor, nn.Parameter) and id(tensor) not in sparse
                    has_rows = tensor.dim() > 0 and len(tensor) == n_items
                    yield _kept(tensor, rows, has_rows and not is_table)


def _updater(own: dict) -> PutBack:
    kept = dict(own)
    return lambda: own.update(kept)


def _kept_loop(loop: WarmUpLoop, rows: Tensor, n_items: int) -> PutBack:
    """The loop's optimiser, which may be replaced, and its state, which may be new."""
    attributes = dict(vars(loop))
    put_back: list[PutBack] = []
    for optimizer in loop.optimizer.parts:
        for group in optimizer.param_groups:
            put_back.append(_updater(group))
        states = {table: dict(state) for table, state in optimizer.state.items()}
        put_back.append(_replacer(optimizer.state, states))
        for table, state in states.items():
            by_rows = isinstance(optimizer, RowWiseAdam) and len(table) == n_items
            for value in state.values():
                if isinstance(value, Tensor):
                    put_back.append(_kept(value, rows, by_rows and value.dim() > 0))

    def restore() -> None:
        vars(loop).update(attributes)
        for part in put_back:
            part()

    return restore


def _replacer(own: dict, kept: dict) -> PutBack:
    def restore() -> None:
        own.clear()
        own.update({table: dict(state) for table, state in kept.items()})

    return restore
