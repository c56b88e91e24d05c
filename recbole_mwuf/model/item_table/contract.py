"""The seam: score a batch as if other vectors were its items' ID embeddings, for any base."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn

from recbole_mwuf.data.protocols import Fields

_SMALLEST = 1e-7  # keeps the logarithm of a component finite
_SCORE_EPS = 1e-7  # keeps the logit of a score finite


class ItemIDs(NamedTuple):
    """The ID parameters of a batch of items.

    Attributes:
        embedding: ID embeddings, shape ``[B, k]``.
        first_order: First-order (wide) weights, shape ``[B, 1]``; None if the base has none.
    """

    embedding: Tensor
    first_order: Tensor | None = None

    def detach(self) -> ItemIDs:
        """The same values, cut off from the gradient."""
        first_order = None if self.first_order is None else self.first_order.detach()
        return ItemIDs(self.embedding.detach(), first_order)

    def mean(self, geometric: bool = False) -> ItemIDs:
        """The mean over the items, as one row.

        Args:
            geometric: Whether the embeddings' mean is that of their sizes, ``exp(mean log |e|)``,
                with the signs of the arithmetic one.
        """
        first_order = None if self.first_order is None else self.first_order.mean(0, keepdim=True)
        mean = self.embedding.mean(0, keepdim=True)
        if geometric:
            logarithms = self.embedding.abs().clamp(min=_SMALLEST).log()
            mean = logarithms.mean(0, keepdim=True).exp() * mean.sign()
        return ItemIDs(mean, first_order)

    def chosen(self, rows: Tensor) -> ItemIDs:
        """Some rows, bool or int64; a single row is meant for all of them and stays."""
        if len(self.embedding) == 1:
            return self
        first_order = self.first_order
        if first_order is not None and len(first_order) > 1:
            first_order = first_order[rows]
        return ItemIDs(self.embedding[rows], first_order)

    @staticmethod
    def where(condition: Tensor, first: ItemIDs, second: ItemIDs) -> ItemIDs:
        """Per item, shape ``[B]``: the first's parameters where the condition holds."""
        chosen = condition.unsqueeze(1)
        embedding = torch.where(chosen, first.embedding, second.embedding)
        if first.first_order is None or second.first_order is None:
            return ItemIDs(embedding)
        return ItemIDs(embedding, torch.where(chosen, first.first_order, second.first_order))


class ItemTable(ABC):
    """The item-ID parameters of a base, and the base with others in their place.

    :func:`recbole_mwuf.model.item_table.item_table_of` makes the one that suits a base.

    Args:
        base: A RecBole model.
        dataset: The data set it was built for.

    Attributes:
        size: Dimension k of an ID embedding.
        n_items: Number of item IDs, padding included.
        has_first_order: Whether the base also weighs the item ID in a first-order term.
        per_row: Whether one item may have two vectors within a batch.
        history_length: L, the longest item history that the base reads; 0 if it reads none.
    """

    per_row: bool
    size: int
    has_first_order = False

    def __init__(self, base: nn.Module, dataset: Fields):
        self.base = base
        self.n_items = dataset.item_num
        self.item_field, self.user_field = dataset.iid_field, dataset.uid_field
        self.history_length: int = getattr(base, "history_length", 0)
        self._returns_score = False

    @abstractmethod
    def rows(self, items: Tensor) -> ItemIDs:
        """The base's own ID parameters of some items, shape ``[B]``."""

    @abstractmethod
    def assign(self, items: Tensor, ids: ItemIDs) -> None:
        """Overwrite the base's own ID parameters of some items, shape ``[B]``."""

    @abstractmethod
    def grow(self, n_items: int) -> None:
        """Give the base's tables room for more items; no other row changes."""

    @abstractmethod
    def users(self) -> Tensor:
        """The user ID embeddings as they are now, without gradient, ``[n_users, k]``."""

    @abstractmethod
    def call(self, method: str, interaction: Interaction, ids: ItemIDs | None = None) -> Any:
        """What a method of the base returns for a batch.

        Args:
            method: Its name: ``forward``, ``predict``, ``calculate_loss``, ``full_sort_predict``.
            interaction: A batch of B samples.
            ids: What stands in place of the items' own parameters, a row for every sample.
        """

    @abstractmethod
    def feature_columns(self, items: Tensor) -> dict[str, Tensor]:
        """The features of some items as columns, ``[B, ...]``."""

    @abstractmethod
    def features_of(self, items: Tensor) -> Tensor:
        """X_v of some items, without the item ID, ``[B] -> [B, n_features, k]``."""

    @abstractmethod
    def embed_features(self, columns: dict[str, Tensor], n_rows: int) -> Tensor:
        """X_v from columns of item features, ``[n_rows, n_features, k]``."""

    def item_features(self) -> Tensor:
        """X_v of every item, shape ``[n_items, n_features, k]``; ``n_features`` may be 0."""
        raise NotImplementedError

    def logits(self, interaction: Interaction, ids: ItemIDs | None = None) -> Tensor:
        """The base's logit, with ``ids`` in place of the items' own parameters if given.

        Args:
            interaction: A batch of B samples.
            ids: One row for every sample (not for every item).

        Returns:
            Tensor: shape ``[B]``; MWUF paper, Eq. 1 before the sigmoid.
        """
        return self.as_logits(self.call("forward", interaction, ids))

    def logits_of_each(
        self, interaction: Interaction, ids: Sequence[ItemIDs]
    ) -> tuple[Tensor, ...]:
        """:meth:`logits` for several ID parameters of the same samples."""
        return tuple(self.logits(interaction, each) for each in ids)

    def scores(self, interaction: Interaction, ids: ItemIDs | None = None) -> Tensor:
        """The base's prediction, with ``ids`` in place of the items' own parameters if given.

        Returns:
            Tensor: shape ``[B]``; of a labelled base probabilities.
        """
        return self.call("predict", interaction, ids).reshape(-1)

    def as_logits(self, output: Tensor) -> Tensor:
        """What the base's forward pass returned, as logits ``[B]``: some bases return scores."""
        output = output.reshape(-1)
        return torch.logit(output, eps=_SCORE_EPS) if self._returns_score else output

    def shared_columns(self, interaction: Interaction) -> dict[str, Tensor]:
        """What the base computes of a batch whatever the items' IDs are, as columns ``[B, ...]``.

        A batch that carries them is not computed again.
        """
        compute = getattr(self.base, "shared_columns", None)
        return {} if compute is None else compute(interaction)

    def show_histories(self, users: Tensor) -> None:
        """Give a base that reads item histories the users they are ranges of, int64 ``[n]``."""
        if self.history_length:
            self.base.history_users = users
