"""Row-wise updates of ID tables beside dense updates of networks."""

from __future__ import annotations

import torch
from torch import nn

from recbole_mwuf.data.catalog import resized


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

    def state_dicts(self) -> list[dict]:
        """The state of each optimiser, for :meth:`load_state_dicts`."""
        return [optimizer.state_dict() for optimizer in self._all]

    def load_state_dicts(self, states: list[dict]) -> None:
        """Go on from the state of optimisers of the same parameters."""
        for optimizer, state in zip(self._all, states):
            optimizer.load_state_dict(state)

    def grow(self) -> None:
        """Follow ID tables that have got more rows: these have not moved yet."""
        for table, state in self.row_wise.state.items() if self.row_wise is not None else ():
            for name in ("exp_avg", "exp_avg_sq"):
                state[name] = resized(state[name], *table.shape)

    def set_row_wise_learning_rate(self, learning_rate: float) -> None:
        """Change the learning rate of the ID tables from the next step on."""
        for group in self.row_wise.param_groups if self.row_wise is not None else []:
            group["lr"] = learning_rate
