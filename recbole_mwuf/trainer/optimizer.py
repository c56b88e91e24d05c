"""Row-wise updates of ID tables beside dense updates of networks."""

from __future__ import annotations

from logging import getLogger
from typing import Any

import torch
from torch import nn, optim

from recbole_mwuf.data.catalog import resized
from recbole_mwuf.trainer.row_wise_adam import RowWiseAdam

_DENSE: dict[str, type[optim.Optimizer]] = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "sgd": optim.SGD,
    "adagrad": optim.Adagrad,
    "rmsprop": optim.RMSprop,
}


def build_optimizer(config: Any, model: nn.Module) -> OptimizerGroup:
    """RecBole's optimiser for dense parameters, a row-wise one for tables with sparse rows.

    Dense Adam would also move the rows that are absent from a batch, by their moments, and takes
    time in proportion to the table, not to the batch.

    Args:
        config: Uses ``learner``, ``learning_rate``, ``weight_decay``.
        model: Its parameters that require a gradient are optimised.
    """
    rate, decay = config["learning_rate"], config["weight_decay"]
    params = [p for p in model.parameters() if p.requires_grad]
    rows = [p for p in row_wise(model) if p.requires_grad]
    dense = [p for p in params if not any(p is row for row in rows)]
    if rows and decay:
        getLogger().warning(
            f"weight_decay={decay} does not act on tables with row-wise updates "
            "(new items' IDs; others if sparse_embedding is on)"
        )
    kind: Any = _DENSE[config["learner"]]
    return OptimizerGroup(
        RowWiseAdam(rows, lr=rate) if rows else None,
        kind(dense, lr=rate, weight_decay=decay) if dense else None,
    )


def row_optimizer(config: Any, rows: nn.Module) -> optim.Optimizer:
    """The optimiser of the new items' ID parameters: row-wise, or dense as RecBole's.

    Args:
        config: Uses ``warm_up_rows``, ``learning_rate``.
        rows: Their tables.
    """
    tables, rate = list(rows.parameters()), config["learning_rate"]
    if config["warm_up_rows"] == "dense":
        return optim.Adam(tables, lr=rate)
    return RowWiseAdam(tables, lr=rate)


@torch.no_grad()
def grow_rows(optimizer: optim.Optimizer) -> None:
    """Follow ID tables that have got more rows: these have not moved yet."""
    for table, state in optimizer.state.items():
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = resized(state[name], *table.shape)


def row_wise(model: nn.Module) -> list[torch.Tensor]:
    """Tables whose gradient has only the rows of a batch."""
    return [m.weight for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]


class OptimizerGroup:
    """Several optimisers that step as one.

    Args:
        row_wise: For large tables; moves only the rows in a batch.
        dense: For everything else. Adam steps by torch's fused kernel: the same update, rounded
            differently in the last bit, in less time (benchmarks/README.md).
        rows: For the ID parameters of new items.
    """

    def __init__(
        self,
        row_wise: optim.Optimizer | None,
        dense: optim.Optimizer | None,
        rows: optim.Optimizer | None = None,
    ):
        self.row_wise, self.dense, self.rows = row_wise, dense, rows
        self._all = [one for one in (rows, row_wise, dense) if one is not None]
        if isinstance(dense, torch.optim.Adam):
            for group in dense.param_groups:
                group["fused"] = True

    @property
    def parts(self) -> list[optim.Optimizer]:
        """The optimisers that there are."""
        return self._all

    def _groups(self) -> list[dict]:
        return [group for optimizer in self._all for group in optimizer.param_groups]

    def zero_grad(self) -> None:
        for optimizer in self._all:
            optimizer.zero_grad()

    def step(self, scaler: torch.amp.GradScaler | None = None) -> None:
        """Update all parameters; a scaler of RecBole's ``enable_amp`` undoes its scaling first."""
        for optimizer in self._all:
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
        if scaler is not None:
            scaler.update()

    @torch.no_grad()
    def clip_grad_norm(self, max_norm: float, norm_type: float = 2.0) -> None:
        """Scale all gradients so that their common norm is at most ``max_norm``.

        torch's own function does not take the row-wise gradients.
        """
        parameters = [p for group in self._groups() for p in group["params"] if p.grad is not None]
        for parameter in parameters:
            if parameter.grad.is_sparse:  # a row that is named twice counts once, with its sum
                parameter.grad = parameter.grad.coalesce()
        values = [p.grad.values() if p.grad.is_sparse else p.grad for p in parameters]
        norms = [torch.linalg.vector_norm(value, norm_type) for value in values]
        norm = torch.linalg.vector_norm(torch.stack(norms), norm_type)
        for parameter in parameters:
            parameter.grad.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))

    def state_dicts(self) -> list[dict]:
        """The state of each optimiser, for :meth:`load_state_dicts`."""
        return [optimizer.state_dict() for optimizer in self._all]

    def load_state_dicts(self, states: list[dict]) -> None:
        """Go on from the state of optimisers of the same parameters."""
        for optimizer, state in zip(self._all, states):
            optimizer.load_state_dict(state)

    def with_rows(self, rows: optim.Optimizer | None) -> OptimizerGroup:
        """This group beside an optimiser of new items' ID parameters."""
        return OptimizerGroup(self.row_wise, self.dense, rows)

    def set_rows_learning_rate(self, learning_rate: float) -> None:
        """Change the learning rate of new items' ID parameters from the next step on."""
        for group in self.rows.param_groups if self.rows is not None else []:
            group["lr"] = learning_rate
