"""Row-wise updates of ID tables beside dense updates of networks."""

from __future__ import annotations

import torch
from torch import nn


def row_wise(model: nn.Module) -> list[torch.Tensor]:
    """Tables whose gradient has only the rows of a batch."""
    return [m.weight for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]


class OptimizerGroup:
    """A row-wise and a dense optimiser that step as one, as RecBole's training loop expects.

    Args:
        row_wise: For ID tables; moves only the rows in a batch.
        dense: For everything else.
    """

    def __init__(self, row_wise: torch.optim.Optimizer | None, dense: torch.optim.Optimizer | None):
        self.row_wise = row_wise
        self._all = [optimizer for optimizer in (row_wise, dense) if optimizer is not None]

    def zero_grad(self) -> None:
        for optimizer in self._all:
            optimizer.zero_grad()

    def step(self) -> None:
        for optimizer in self._all:
            optimizer.step()

    def set_row_wise_learning_rate(self, learning_rate: float) -> None:
        """Change the learning rate of the ID tables from the next step on."""
        for group in self.row_wise.param_groups if self.row_wise is not None else []:
            group["lr"] = learning_rate
