"""The seam of RecBole's context-aware models: a column of their embedding table's output.

These models read all token fields from one table. A forward hook on that table replaces the
item's column of its output while the base runs unmodified, so the logit is exact and
differentiable with respect to the vectors, row by row also when an item repeats in the batch. The
hook costs as much as the batch, however large the table is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import ContextRecommender
from recbole.utils import FeatureSource
from torch import Tensor, nn

from recbole_mwuf.compat import replaced
from recbole_mwuf.data.dataset import select
from recbole_mwuf.data.protocols import Fields
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table.contract import ItemIDs, ItemTable
from recbole_mwuf.model.item_table.embedded import EMBEDDED, embedded_columns, embedded_known

_CHUNK = 65536  # items whose features are embedded at once


class ColumnTable(ItemTable):
    """The item column of a context-aware model.

    Args:
        base: A RecBole context-aware model.
        dataset: The data set it was built for.

    Raises:
        UserError: if the base does not read its item IDs from RecBole's shared table.
    """

    per_row = True
    base: ContextRecommender

    def __init__(self, base: ContextRecommender, dataset: Fields):
        super().__init__(base, dataset)
        self._item_fields = set(dataset.fields(source=[FeatureSource.ITEM]))
        self._item_feat = dataset.item_feat
        self._context = dataset.context
        self._n_users = dataset.user_num
        self._row = dataset.example()
        self._first_order = base.first_order_linear
        self.has_first_order = self._probe()
        self.size = base.token_embedding_table.embedding.weight.shape[1]

    @torch.no_grad()
    def _probe(self) -> bool:
        """Score one row to see what the base reads; returns if a first order is used."""
        tables = {
            "embedding": getattr(self.base, "token_embedding_table", None),
            "first_order": getattr(self._first_order, "token_embedding_table", None),
        }
        reads: Counter[str] = Counter()
        training = self.base.training
        self.base.eval()
        with ExitStack() as stack:
            for name, table in tables.items():
                if table is not None:
                    stack.enter_context(_hook(table, lambda *_, name=name: reads.update([name])))
            embed, whole = self.base.embed_input_fields, 0

            def counting(batch: Interaction) -> Any:
                nonlocal whole
                whole += batch is self._row
                return embed(batch)

            stack.enter_context(replaced(self.base, "embed_input_fields", counting))
            output = self.base(self._row).reshape(-1)
            score = self.base.predict(self._row).reshape(-1)
        self._embeds_whole_batches = whole == 2
        self.base.train(training)
        refusal = f"base={type(self.base).__name__} cannot be warmed up: "
        if reads["embedding"] != 2:  # once in each of the passes
            raise UserError(
                refusal + "it does not read its item IDs from RecBole's shared embedding table "
                "(token_embedding_table), so no other vector can take their place. Use a base "
                "such as WideDeep, FM, PNN, DCN or DIN."
            )
        self._returns_score = torch.allclose(output, score)
        if not self._returns_score and not torch.allclose(torch.sigmoid(output), score):
            raise UserError(
                refusal + "its forward pass gives neither its prediction nor the logit of it"
            )
        return reads["first_order"] > 0

    def _owners(self) -> list[ContextRecommender]:
        return [self.base, self._first_order] if self.has_first_order else [self.base]

    def rows(self, items: Tensor) -> ItemIDs:
        looked_up = (
            owner.token_embedding_table.embedding(items + _offset(owner, self.item_field))
            for owner in self._owners()
        )
        return ItemIDs(*looked_up)

    @torch.no_grad()
    def assign(self, items: Tensor, ids: ItemIDs) -> None:
        for owner, values in zip(self._owners(), ids):
            if values is not None:
                table = owner.token_embedding_table.embedding.weight
                table[items + _offset(owner, self.item_field)] = values

    @torch.no_grad()
    def grow(self, n_items: int) -> None:
        """Give the base's tables room for more items; no other row changes.

        New rows start as the padding item's, which is as untrained as they are.
        """
        extra = n_items - self.n_items
        for owner in (self.base, self._first_order):
            first = _offset(owner, self.item_field)
            table = owner.token_embedding_table.embedding
            old, end = table.weight, first + self.n_items
            rows = torch.cat([old[:end], old[first].expand(extra, -1), old[end:]])
            table.weight = nn.Parameter(rows, requires_grad=old.requires_grad)
            table.num_embeddings += extra
            column = owner.token_field_names.index(self.item_field)
            owner.token_field_dims[column] += extra
            owner.token_field_offsets[column + 1 :] += extra  # FMEmbedding's own are the same array
        self.n_items = n_items

    def users(self) -> Tensor:
        start = _offset(self.base, self.user_field)
        table = self.base.token_embedding_table.embedding.weight
        return table.detach()[start : start + self._n_users]

    def call(self, method: str, interaction: Interaction, ids: ItemIDs | None = None) -> Any:
        # a module is called, not its forward: hooks of others on the base go on working
        function = self.base if method == "forward" else getattr(self.base, method)
        if ids is not None and EMBEDDED in interaction and method in ("forward", "predict"):
            with embedded_known(*self._embedders(), self.item_field, interaction, ids):
                return function(interaction)
        with ExitStack() as stack:
            for owner, values in zip((self.base, self._first_order), ids or ()):
                if values is not None:
                    stack.enter_context(_column_replaced(owner, self.item_field, values))
            return function(interaction)

    def shared_columns(self, interaction: Interaction) -> dict[str, Tensor]:
        """What is the same whatever the items' IDs are: all that a fixed base embeds of a batch."""
        columns = super().shared_columns(interaction)
        is_fixed = not self.base.token_embedding_table.embedding.weight.requires_grad
        if self._embeds_whole_batches and is_fixed:
            columns |= embedded_columns(*self._embedders(), interaction)
        return columns

    def _embedders(self) -> tuple[ContextRecommender, nn.Module | None]:
        return self.base, self._first_order if self.has_first_order else None

    def logits_of_each(
        self, interaction: Interaction, ids: Sequence[ItemIDs]
    ) -> tuple[Tensor, ...]:
        """:meth:`logits` for several ID parameters of the same samples, in one forward pass.

        A base that is fixed treats every row on its own, so a batch of ``n · B`` rows is n
        batches. What an item's history says does not depend on its ID: it is encoded once.
        """
        columns = {**interaction.interaction, **self.shared_columns(interaction)}
        repeated = {name: torch.cat([column] * len(ids)) for name, column in columns.items()}
        joined = (torch.cat(values) for values in zip(*ids) if values[0] is not None)
        return self.logits(Interaction(repeated), ItemIDs(*joined)).chunk(len(ids))

    @torch.no_grad()
    def item_features(self) -> Tensor:
        """X_v: the feature embeddings of every item, without the item ID.

        Multi-valued fields are mean-pooled, as RecBole pools them.

        Returns:
            Tensor: shape ``[n_items, n_features, k]``; ``n_features`` may be 0.
        """
        chunks = torch.arange(self.n_items, device=self._row[self.item_field].device).split(_CHUNK)
        return torch.cat([self.features_of(items) for items in chunks])

    def feature_columns(self, items: Tensor) -> dict[str, Tensor]:
        return {} if self._item_feat is None else select(self._item_feat, items)

    def pair_columns(self, users: Tensor, items: Tensor) -> dict[str, Tensor]:
        return self._context(users, items)

    @torch.no_grad()
    def features_of(self, items: Tensor) -> Tensor:
        return self.embed_features(self.feature_columns(items), len(items))

    def embed_features(self, columns: dict[str, Tensor], n_rows: int) -> Tensor:
        # the user's fields are filled with those of any row: their columns are not kept
        any_row = {n: c.expand(n_rows, *c.shape[1:]) for n, c in self._row.interaction.items()}
        sparse, dense = self.base.embed_input_fields(Interaction({**any_row, **columns}))
        base = self.base
        parts = (
            (sparse, [*base.token_seq_field_names, *base.token_field_names]),
            (dense, [*base.float_seq_field_names, *base.float_field_names]),
        )
        chosen = [
            embedding[:, [i for i, name in enumerate(names) if name in self._item_fields]]
            for embedding, names in parts
            if embedding is not None
        ]
        return torch.cat(chosen, dim=1)


def _offset(owner: ContextRecommender, field: str) -> int:
    """Where a field's rows begin in the table that all token fields share."""
    return int(owner.token_field_offsets[owner.token_field_names.index(field)])


@contextmanager
def _hook(module: nn.Module, hook: Any) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _column_replaced(owner: ContextRecommender, field: str, values: Tensor) -> Iterator[None]:
    """While open, the owner's table returns ``values`` for one field: ``[B, n_fields, size]``."""
    column = owner.token_field_names.index(field)

    def replace(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        after = output[:, column + 1 :]
        return torch.cat([output[:, :column], values.unsqueeze(1), after], dim=1)

    with _hook(owner.token_embedding_table, replace):
        yield
