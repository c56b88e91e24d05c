"""Row-wise updates of ID tables beside dense updates of networks."""

from __future__ import annotations

import torch
from torch import nn


def row_wise(model: nn.Module) -> list[nn.Parameter]:
    """Tables whose gradient has only the rows of a batch."""
    return [m.weight for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]


class OptimizerGroup:
    """Several optimisers that step as one, as RecBole's training loop expects."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]):
        self.optimizers = optimizers

    def zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()
