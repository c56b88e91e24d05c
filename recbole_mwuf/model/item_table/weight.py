"""The seam of every other RecBole model: the same model with another item table in place.

``torch.func.functional_call`` runs the base unmodified with some parameters replaced, so that the
item's vectors act wherever the table is read: as target, in a sequence, in a graph.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn
from torch.func import functional_call

from recbole_mwuf.data.protocols import Fields
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table.contract import ItemIDs, ItemTable

_ITEM = re.compile(r"(^|[_.])item", re.IGNORECASE)
_USER = re.compile(r"(^|[_.])user", re.IGNORECASE)


class WeightTable(ItemTable):
    """The tables of item embeddings of a general or sequential model.

    Several tables, such as NeuMF's two, count as one whose rows stand side by side. One item has
    one vector within a batch; the table is copied for a call, so it suits no millions of items.

    Args:
        base: A RecBole model with an ``nn.Embedding`` of its items.
        dataset: The data set it was built for.

    Raises:
        UserError: if the base has no such table.
    """

    per_row = False

    def __init__(self, base: nn.Module, dataset: Fields):
        super().__init__(base, dataset)
        self.names = _tables(base, _ITEM, self.n_items)
        if not self.names:
            raise UserError(
                f"base={type(base).__name__} cannot be warmed up: it has no embedding table with "
                f"a row for each of its {self.n_items} items"
            )
        self._sizes = [self._table(name).embedding_dim for name in self.names]
        self.size = sum(self._sizes)
        self._user_names = _tables(base, _USER, dataset.user_num)
        self._runner = _Runner(base)

    def _table(self, name: str) -> nn.Embedding:
        table = self.base.get_submodule(name)
        assert isinstance(table, nn.Embedding)  # as _tables found it
        return table

    def rows(self, items: Tensor) -> ItemIDs:
        return ItemIDs(torch.cat([self._table(name)(items) for name in self.names], dim=1))

    @torch.no_grad()
    def assign(self, items: Tensor, ids: ItemIDs) -> None:
        for name, values in zip(self.names, ids.embedding.split(self._sizes, dim=1)):
            self._table(name).weight[items] = values

    @torch.no_grad()
    def grow(self, n_items: int) -> None:
        """Append rows, which start as the padding item's; a row behind the items stays last."""
        for name in self.names:
            table = self._table(name)
            old = table.weight
            more = old[0].expand(n_items - self.n_items, -1)
            rows = torch.cat([old[: self.n_items], more, old[self.n_items :]])
            table.weight = nn.Parameter(rows, requires_grad=old.requires_grad)
            table.num_embeddings = len(rows)
        self.n_items = n_items

    def users(self) -> Tensor:
        """The user ID embeddings, side by side if there are several, ``[n_users, k]``.

        Raises:
            UserError: if the base has none.
        """
        if not self._user_names:
            raise UserError(f"base={type(self.base).__name__} has no user embeddings")
        tables = [self._table(name).weight.detach() for name in self._user_names]
        return torch.cat(tables, dim=1)

    def call(self, method: str, interaction: Interaction, ids: ItemIDs | None = None) -> Any:
        if ids is None:
            return getattr(self.base, method)(interaction)
        items = interaction[self.item_field]
        swapped = {
            f"base.{name}.weight": self._table(name).weight.index_put((items,), values)
            for name, values in zip(self.names, ids.embedding.split(self._sizes, dim=1))
        }
        return functional_call(self._runner, swapped, (method, interaction))

    def feature_columns(self, items: Tensor) -> dict[str, Tensor]:
        return {}

    def features_of(self, items: Tensor) -> Tensor:
        """No features: the base embeds none."""
        return self.rows(items).embedding.new_zeros(len(items), 0, self.size)

    def embed_features(self, columns: dict[str, Tensor], n_rows: int) -> Tensor:
        return self._table(self.names[0]).weight.new_zeros(n_rows, 0, self.size)

    def item_features(self) -> Tensor:
        return self.embed_features({}, self.n_items)


class _Runner(nn.Module):
    """Calls any method of a base as a forward pass, which is what functional_call can call."""

    def __init__(self, base: nn.Module):
        super().__init__()
        self.base = base

    def forward(self, method: str, interaction: Interaction) -> Any:
        return getattr(self.base, method)(interaction)


def _tables(base: nn.Module, pattern: re.Pattern, n_rows: int) -> list[str]:
    """Names of embedding tables with a row for each ID, and perhaps a mask token's behind them."""
    return [
        name
        for name, module in base.named_modules()
        if isinstance(module, nn.Embedding)
        and pattern.search(name)
        and n_rows <= module.num_embeddings <= n_rows + 1
    ]
