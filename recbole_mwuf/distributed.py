"""Several processes: each takes a share of every batch, and what they find is put together.

The gradient of a batch is the mean over its samples, whoever computed them, so that training takes
the same steps as one process does, up to rounding. (BatchNorm normalises each share by itself.)
With one process every function here does nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, multiprocessing, nn

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.errors import UserError

Units = TypeVar("Units")


def world_size() -> int:
    """How many processes work on this run."""
    started = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if started else 1


def rank() -> int:
    """This process's number; 0 writes the files."""
    return distributed.get_rank() if world_size() > 1 else 0


def own_share(units: Units) -> Units:
    """This process's part of a batch's rows or tasks; all of it if there are too few to share."""
    size = world_size()
    return units if len(units) < size else units[rank() :: size]  # type: ignore


def average(tensors: list[Tensor], weight: int) -> list[Tensor]:
    """The mean of dense tensors over the processes, each weighted by its samples."""
    if world_size() == 1:
        return tensors
    parts = [tensor.reshape(-1) * weight for tensor in tensors]
    flat = torch.cat([*parts, parts[0].new_tensor([weight])])
    distributed.all_reduce(flat)
    means = (flat[:-1] / flat[-1]).split([part.numel() for part in parts])
    return [mean.view_as(tensor) for mean, tensor in zip(means, tensors)]


def average_gradients(parameters: Iterable[nn.Parameter], loss: Tensor, weight: int) -> Tensor:
    """Give every parameter the gradient of the whole batch.

    Args:
        parameters: Some with gradients of this process's share, dense or row-wise.
        loss: The share's mean loss, without gradient.
        weight: Samples in the share.

    Returns:
        Tensor: the whole batch's mean loss.
    """
    if world_size() == 1:
        return loss
    learning = [(p, p.grad) for p in parameters if p.grad is not None]
    dense = [(p, gradient) for p, gradient in learning if not gradient.is_sparse]
    loss, *means = average([loss, *(gradient for _, gradient in dense)], weight)
    for (parameter, _), mean in zip(dense, means):
        parameter.grad = mean
    for parameter, gradient in learning:
        if gradient.is_sparse:
            parameter.grad = _average_rows(gradient, weight)
    return loss


def _average_rows(gradient: Tensor, weight: int) -> Tensor:
    """The same for a gradient that has only the rows of a batch: all rows of all processes."""
    rows, values = gradient._indices()[0], gradient._values() * weight
    counts = _gather(rows.new_tensor([len(rows), weight]))
    most, total = max(int(c[0]) for c in counts), sum(int(c[1]) for c in counts)
    missing = most - len(rows)  # filled with zeros for the padding ID
    all_rows = _gather(torch.cat([rows, rows.new_zeros(missing)]))
    all_values = _gather(torch.cat([values, values.new_zeros(missing, *values.shape[1:])]))
    indices, values = torch.cat(all_rows).unsqueeze(0), torch.cat(all_values) / total
    return torch.sparse_coo_tensor(indices, values, gradient.shape, check_invariants=False)


def _gather(tensor: Tensor) -> list[Tensor]:
    gathered = [torch.empty_like(tensor) for _ in range(world_size())]
    distributed.all_gather(gathered, tensor)
    return gathered


def average_statistics(model: nn.Module) -> None:
    """Give every process the mean of the BatchNorm statistics."""
    if world_size() == 1:
        return
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
    statistics = [s for m in norms for s in (m.running_mean, m.running_var) if s is not None]
    for own, mean in zip(statistics, average(statistics, 1) if statistics else []):
        own.copy_(mean)


def in_turn(parts: list[Tensor]) -> list[Tensor]:
    """Parts in their order, of which process r has numbers r, r + n, r + 2n, ..."""
    if world_size() == 1:
        return parts
    gathered: list[list[Tensor]] = [[] for _ in range(world_size())]
    distributed.all_gather_object(gathered, parts)
    n_parts = sum(map(len, gathered))
    return [gathered[i % world_size()][i // world_size()] for i in range(n_parts)]


def launch(function: Callable, arguments: tuple, settings: dict, config: Any) -> Any:
    """Call a function in ``nproc`` processes; returns what it returns in the first one.

    Args:
        function: Called as ``function(*arguments, config_dict=...)``.
        arguments: Plain values.
        settings: The user's ``config_dict``; each process's own numbers are added.
        config: Uses RecBole's ``nproc``, ``world_size``, ``ip``, ``port``, ``group_offset``.

    Raises:
        UserError: as raised by the function. When one process fails, the others are ended.
    """
    here = config["nproc"]
    everywhere = config["world_size"] or -1
    shared = {
        **settings,
        "nproc": here,
        "world_size": here if everywhere < 0 else everywhere,
        "ip": config["ip"] or "localhost",
        "port": config["port"] or _free_port(),
        "offset": config["group_offset"] or 0,
    }
    queue = multiprocessing.get_context("spawn").SimpleQueue()
    try:
        multiprocessing.spawn(_work, (function, arguments, shared, queue), nprocs=here)
    except multiprocessing.ProcessRaisedException:
        if queue.empty():
            raise
    outcome = queue.get()
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


def _work(local_rank: int, function: Callable, arguments: tuple, settings: dict, queue) -> None:
    silence_recbole()
    try:
        result = function(*arguments, config_dict={**settings, "local_rank": local_rank})
    except UserError as error:
        queue.put(error)
        raise
    if local_rank == 0:
        queue.put(result)
    distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]
