"""DIN on the item side: the users who interacted with the item, attended to by the target user."""

from __future__ import annotations

import torch
from recbole.data.interaction import Interaction
from recbole.model.init import xavier_normal_initialization
from recbole.model.layers import SequenceAttLayer
from torch import Tensor

from recbole_mwuf.model.base.item_side import ItemSideRecommender


class DIN(ItemSideRecommender):
    """Deep Interest Network (KDD 2018) applied to the item's history, as in section 4.2.

    RecBole's attention weighs the users of the item's history by their fit with the sample's user.
    """

    def build_encoder(self, config) -> None:
        size = self.embedding_size
        self.encoder = SequenceAttLayer(
            torch.arange(self.history_length, device=self.device).view(1, -1),
            [4 * size, *config["attention_hidden_size"]],
            activation="Sigmoid",
            softmax_stag=False,
            return_seq_weight=False,
        )
        self.encoder.apply(xavier_normal_initialization)

    def encode(self, users: Tensor, length: Tensor, interaction: Interaction) -> Tensor:
        query = self.embed_users(interaction[self.USER_ID])
        # the attention gives no weight to what is beyond the length
        return self.encoder(query, self.embed_users(users), length).squeeze(1)
