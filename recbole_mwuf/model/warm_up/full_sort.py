"""Every item for every user, as RecBole's full-sort evaluation and case study ask for."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_mwuf.data.dataset import select

PAIRS = 65536  # of user and item that are scored at once


@torch.no_grad()
def scores_of_all_items(method: Any, interaction: Interaction) -> Tensor:
    """Scores of every item for each of some users, in parts of :data:`PAIRS`.

    Args:
        method: A warm-up method.
        interaction: B users with their features.

    Returns:
        Tensor: shape ``[B · n_items]``, user by user; the padding item is among them.

    Raises:
        NotImplementedError: if the base reads item histories. RecBole then asks the data set for
            the items' features, among which they are, and scores pairs.
    """
    table = method.table
    if table.history_length:
        raise NotImplementedError("what an item has shown is known to the data set")
    items = method.all_items()
    features = Interaction({table.item_field: items, **table.feature_columns(items)})
    scores = []
    for pairs in torch.arange(len(interaction) * len(items), device=items.device).split(PAIRS):
        users, of_items = pairs // len(items), pairs % len(items)
        columns = {**select(interaction, users), **select(features, of_items)}
        scores.append(method.predict(Interaction(columns)))
    return torch.cat(scores)
