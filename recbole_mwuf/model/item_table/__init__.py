"""The seam between methods and bases: :class:`ItemTable`, in two ways."""

from __future__ import annotations

from recbole.model.abstract_recommender import ContextRecommender
from torch import nn

from recbole_mwuf.data.protocols import Fields
from recbole_mwuf.model.item_table.column import ColumnTable
from recbole_mwuf.model.item_table.contract import ItemIDs, ItemTable
from recbole_mwuf.model.item_table.coordinates import Coordinates, coordinates_of
from recbole_mwuf.model.item_table.weight import WeightTable


def item_table_of(base: nn.Module, dataset: Fields) -> ItemTable:
    """The seam of a base: a column where it has RecBole's shared table, else a swapped weight.

    Args:
        base: A RecBole model.
        dataset: The data set it was built for.

    Raises:
        UserError: if the base has neither; the message says what it lacks.
    """
    kind = ColumnTable if isinstance(base, ContextRecommender) else WeightTable
    return kind(base, dataset)


__all__ = [
    "ColumnTable",
    "Coordinates",
    "ItemIDs",
    "ItemTable",
    "WeightTable",
    "coordinates_of",
    "item_table_of",
]
