"""What several processes exchange; with one process every function here does nothing.

The gradient of a batch is the mean over its samples, whoever computed them, so that training takes
the same steps as one process does, up to rounding; what is random is drawn for the whole batch
(draws.py). BatchNorm normalises each shard by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn

from recbole_mwuf.parallel.shard import Shard


def world_size() -> int:
    """How many processes work on this run."""
    started = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if started else 1


def rank() -> int:
    """This process's number; 0 writes the files."""
    return distributed.get_rank() if world_size() > 1 else 0


def own_shard() -> Shard:
    """This process's part of every batch."""
    return Shard(rank(), world_size())


@torch.no_grad()
def send_parameters(model: nn.Module) -> None:
    """Give every process the first one's parameters."""
    if world_size() > 1:
        for parameter in model.parameters():
            distributed.broadcast(parameter.data, 0)


def average(tensors: list[Tensor], weight: int) -> list[Tensor]:
    """The mean of dense tensors over the processes, each weighted by its samples."""
    if world_size() == 1:
        return tensors
    parts = [tensor.reshape(-1) * weight for tensor in tensors]
    flat = torch.cat([*parts, parts[0].new_tensor([weight])])
    distributed.all_reduce(flat)
    means = (flat[:-1] / flat[-1]).split([part.numel() for part in parts])
    return [mean.view_as(tensor) for mean, tensor in zip(means, tensors)]


def total(tensors: list[Tensor]) -> list[Tensor]:
    """The sum of dense tensors over the processes; every process gets the same bits."""
    if world_size() == 1:
        return tensors
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(flat)
    sums = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(sums, tensors)]


def average_gradients(parameters: Iterable[nn.Parameter], loss: Tensor, weight: int) -> Tensor:
    """Give every parameter the gradient of the whole batch.

    Args:
        parameters: Some with gradients of this process's shard, dense or row-wise.
        loss: The shard's mean loss, without gradient.
        weight: Samples in the shard.

    Returns:
        Tensor: the whole batch's mean loss.
    """
    if world_size() == 1:
        return loss
    learning = [(p, p.grad) for p in parameters if p.requires_grad and p.grad is not None]
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


def gather(parts: list[Tensor]) -> list[Tensor]:
    """Parts in their order, of which process r has numbers r, r + n, r + 2n, ..."""
    if world_size() == 1:
        return parts
    gathered: list[list[Tensor]] = [[] for _ in range(world_size())]
    distributed.all_gather_object(gathered, parts)
    n_parts = sum(map(len, gathered))
    return [gathered[i % world_size()][i // world_size()] for i in range(n_parts)]
