"""Functions of a method that are exported for serving."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

EMBEDDING = "item_embedding"
MEAN_USER = "mean_user_embedding"
ROWS = 2  # of the example that is traced; the number of rows is free


class Served(nn.Module):
    """What is exported: takes its inputs by position, in the order of their names.

    Attributes:
        inputs: An example of each, by name.
    """

    inputs: dict[str, Tensor]


class WarmUpFunction(Served):
    """Item features, mean user embedding, cold row -> warm row; all inputs ``[B, ...]``.

    Args:
        method: Has a ``table`` and ``transform(cold, features, mean_users) -> warm``.
    """

    def __init__(self, method: Any):
        super().__init__()
        self.method: Any = method
        table = method.table
        self.inputs = table.feature_columns(torch.arange(ROWS))
        self.inputs[MEAN_USER] = torch.zeros(ROWS, table.size)
        self.inputs[EMBEDDING] = torch.zeros(ROWS, table.size)

    def forward(self, *inputs: Tensor) -> Tensor:
        columns = dict(zip(self.inputs, inputs))
        cold, mean_user = columns.pop(EMBEDDING), columns.pop(MEAN_USER)
        features = self.method.table.embed_features(columns, cold.shape[0])
        return self.method.transform(cold, features.flatten(1), mean_user)
