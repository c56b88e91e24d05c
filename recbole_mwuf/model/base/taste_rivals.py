"""Trivial rivals: taste features and a bias for every item. A method that is no better says so."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import ContextRecommender
from torch import Tensor, nn

from recbole_mwuf.errors import UserError


class TasteRival(ContextRecommender):
    """Logistic regression on some taste features, and a bias for every item.

    The bias is an ID embedding of one number. A new item's starts at 0, so that what is scored
    before its first interaction is the features alone; with ``warm_up_epochs=0`` it stays so.

    Args:
        config: Uses ``taste_fields``.
        dataset: A data set with taste features.

    Raises:
        UserError: if there are no taste features.
    """

    def __init__(self, config: Any, dataset: Any):
        super().__init__(config, dataset)
        self.names = [name for name in self.reads(config) if name in self.float_field_names]
        if not self.names:
            raise UserError(
                f"{type(self).__name__} reads taste features: name the item fields that they are "
                "made of, such as taste_fields=['genre','release_year']"
            )
        self.weights = nn.Linear(len(self.names), 1)
        for parameter in (*self.weights.parameters(), self.token_embedding_table.embedding.weight):
            nn.init.zeros_(parameter)
        self.item_column = self.token_field_names.index(config["ITEM_ID_FIELD"])
        self.loss = nn.BCEWithLogitsLoss()

    def reads(self, config: Any) -> list[str]:
        """Names of the features that it reads."""
        raise NotImplementedError

    def numbers(self, interaction: Interaction) -> Tensor:
        """Their values, ``[B, n_features]``."""
        return torch.stack([interaction[name][:, 0] for name in self.names], dim=1)

    def of_pair(self, interaction: Interaction) -> Tensor:
        """What the features say, as logits ``[B]``."""
        return self.weights(self.numbers(interaction)).squeeze(1)

    def forward(self, interaction: Interaction) -> Tensor:
        tokens = torch.stack([interaction[name] for name in self.token_field_names], dim=1)
        bias = self.embed_token_fields(tokens)[:, self.item_column].sum(dim=1)
        return self.of_pair(interaction) + bias

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        return self.loss(self.forward(interaction), interaction[self.LABEL])

    def predict(self, interaction: Interaction) -> Tensor:
        return torch.sigmoid(self.forward(interaction))


class UserMean(TasteRival):
    """The user's smoothed mean label and the item's bias: the baseline predictor of ratings."""

    def reads(self, config: Any) -> list[str]:
        return ["taste_user"]


class TasteMean(TasteRival):
    """The user's mean label of the item's values in the first of ``taste_fields``, and a bias."""

    def reads(self, config: Any) -> list[str]:
        return [f"taste_{field}_mean" for field in (config["taste_fields"] or ())[:1]]
