"""φ_new: the ID parameters of new items, beside the base's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recbole_mwuf.data.catalog import resized
from recbole_mwuf.model.item_table import ItemIDs, ItemTable


class ItemIDStore(nn.Module):
    """ID parameters of every item beside the base's own, with row-wise gradients.

    Args:
        n_items: Number of item IDs.
        size: Dimension k of an embedding.
        has_first_order: Whether items also have a first-order weight.
        learns_first_order: Whether that weight takes a gradient.
    """

    def __init__(self, n_items: int, size: int, has_first_order: bool, learns_first_order: bool):
        super().__init__()
        self.embedding = nn.Embedding(n_items, size, sparse=True)
        self.first_order = nn.Embedding(n_items, 1, sparse=True) if has_first_order else None
        self.learns_first_order = learns_first_order

    @classmethod
    def beside(cls, table: ItemTable, learns_first_order: bool) -> ItemIDStore:
        """One that fits a base's own item table."""
        return cls(table.n_items, table.size, table.has_first_order, learns_first_order)

    def forward(self, items: Tensor) -> ItemIDs:
        """The rows of items ``[B]``."""
        if self.first_order is None:
            return ItemIDs(self.embedding(items))
        first_order = self.first_order(items)
        return ItemIDs(
            self.embedding(items), first_order if self.learns_first_order else first_order.detach()
        )

    @torch.no_grad()
    def assign(self, items: Tensor, ids: ItemIDs) -> None:
        """Set the rows of some items; one row in ``ids`` is given to all of them."""
        self.embedding.weight[items] = ids.embedding
        if self.first_order is not None and ids.first_order is not None:
            self.first_order.weight[items] = ids.first_order

    def make_dense(self) -> None:
        """Give the tables gradients of all rows, for an optimiser that moves them all."""
        for table in (self.embedding, self.first_order):
            if table is not None:
                table.sparse = False

    def grow(self, n_items: int) -> None:
        """Make room for more items; the tables stay the parameters that an optimiser knows."""
        for table in (self.embedding, self.first_order):
            if table is not None:
                table.weight.data = resized(table.weight.data, n_items, table.embedding_dim)
                table.num_embeddings = n_items
