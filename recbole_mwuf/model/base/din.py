"""DIN on the item side: the users who interacted with the item, attended to by the target user."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.init import xavier_normal_initialization
from recbole.model.layers import SequenceAttLayer
from torch import Tensor
from torch.nn.functional import linear

from recbole_mwuf.model.base.item_side import ItemSideRecommender

_AT_ONCE = 128  # histories whose hidden layer stays in a CPU's cache


class FactoredAttention(SequenceAttLayer):
    """RecBole's activation unit in half of its time, with the same parameters.

    RecBole joins [q, k, q - k, q * k] for every key k of a query q. The first layer is linear in
    them, so that its weights can be added up once for every query instead:
    W [q, k, q - k, q * k] = (W1 + W3) q + (W2 - W3 + W4 * q) k.
    """

    def forward(self, queries: Tensor, keys: Tensor, keys_length: Tensor) -> Tensor:
        """``[B, k], [B, L, k], [B] -> [B, 1, k]``."""
        size = queries.shape[1]
        _, first, *others = self.att_mlp_layers.mlp_layers  # a dropout of 0 comes before each layer
        of_query, of_key, of_difference, of_product = first.weight.split(size, dim=1)
        weight = torch.addcmul(of_key - of_difference, of_product, queries.unsqueeze(1))
        hidden = torch.bmm(keys, weight.transpose(1, 2))
        hidden += linear(queries, of_query + of_difference, first.bias).unsqueeze(1)
        for layer in others:
            hidden = layer(hidden)
        # a matrix times a vector: three times as fast as the layer that it is
        weights = (hidden @ self.dense.weight[0] + self.dense.bias) / size**0.5
        weights = weights.masked_fill(self.mask_mat >= keys_length.unsqueeze(1), 0.0)
        return torch.bmm(weights.unsqueeze(1), keys)


class DIN(ItemSideRecommender):
    """Deep Interest Network (KDD 2018) applied to the item's history, as in section 4.2.

    RecBole's attention weighs the users of the item's history by their fit with the sample's user.
    """

    def build_encoder(self, config: Any) -> None:
        size = self.embedding_size
        self.encoder = FactoredAttention(
            torch.arange(self.history_length, device=self.device).view(1, -1),
            [4 * size, *config["attention_hidden_size"]],
            activation="Sigmoid",
            softmax_stag=False,
            return_seq_weight=False,
        )
        self.encoder.apply(xavier_normal_initialization)

    def represent(self, interaction: Interaction) -> Tensor:
        if self.device.type != "cpu":
            return super().represent(interaction)
        whole = (*self.history(interaction), interaction[self.USER_ID])
        parts = zip(*(tensor.split(_AT_ONCE) for tensor in whole))
        return torch.cat([self.encode(*part) for part in parts])

    def encode(self, users: Tensor, length: Tensor, target: Tensor) -> Tensor:
        query = self.embed_users(target)
        # the attention gives no weight to what is beyond the length
        return self.encoder(query, self.embed_users(users), length).squeeze(1)
