"""Sequential models on the item side: an item is represented by its users (section 4.2)."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import ContextRecommender
from recbole.model.init import xavier_normal_initialization
from recbole.model.layers import MLPLayers
from torch import Tensor, nn

from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START
from recbole_mwuf.errors import UserError

SEQUENCE = "history_vector"


class ItemSideRecommender(ContextRecommender):
    """All fields and a representation of the item's user history -> MLP -> logit.

    A ContextRecommender: the item ID and the users of the history are rows of the one table that
    all token fields share. A subclass maps the history to a vector of the embedding size.

    Args:
        config: Uses ``MAX_ITEM_LIST_LENGTH`` (L), ``mlp_hidden_size``, ``dropout_prob``.
        dataset: A ColdStartDataset; its interactions carry the range of their item's history.
    """

    # modules that serve all users alike: a method that adapts to a user leaves them alone
    shared_modules = ("encoder",)

    def __init__(self, config: Any, dataset: Any):
        super().__init__(config, dataset)
        if not hasattr(dataset, "history_users"):
            raise UserError(
                f"{type(self).__name__} reads item histories, which only a ColdStartDataset has"
            )
        self.USER_ID = config["USER_ID_FIELD"]
        self.history_length = config["MAX_ITEM_LIST_LENGTH"]
        users = torch.from_numpy(dataset.history_users)
        self.register_buffer("history_users", users, persistent=False)
        fields = self.num_feature_field + 1
        sizes = [fields * self.embedding_size, *config["mlp_hidden_size"]]
        self.mlp_layers = MLPLayers(sizes, config["dropout_prob"])
        self.predict_layer = nn.Linear(sizes[-1], 1)
        self.loss = nn.BCEWithLogitsLoss()
        self.apply(xavier_normal_initialization)
        self.build_encoder(config)

    def build_encoder(self, config: Any) -> None:
        """Create and initialise the layers that :meth:`encode` uses."""
        raise NotImplementedError

    def encode(self, users: Tensor, length: Tensor, target: Tensor) -> Tensor:
        """Represent the histories.

        Args:
            users: User IDs, oldest first, padded with 0 at the end, ``[B, L]``.
            length: Users in each history, 0 to L, shape ``[B]``.
            target: The samples' users, ``[B]``.

        Returns:
            Tensor: shape ``[B, k]``; zero for an empty history.
        """
        raise NotImplementedError

    def embed_users(self, users: Tensor) -> Tensor:
        """User ID embeddings from the shared table, ``[...] -> [..., k]``."""
        offset = int(self.token_field_offsets[self.token_field_names.index(self.USER_ID)])
        return self.token_embedding_table.embedding(users + offset)

    def history(self, interaction: Interaction) -> tuple[Tensor, Tensor]:
        """The last L users of each sample's item, ``[B, L]``, and how many there are, ``[B]``."""
        end = interaction[HISTORY_END]
        length = (end - interaction[HISTORY_START]).clamp(max=self.history_length)
        steps = torch.arange(self.history_length, device=end.device)
        beyond = steps >= length.unsqueeze(1)
        where = ((end - length).unsqueeze(1) + steps).masked_fill_(beyond, 0)
        return self.history_users.take(where).masked_fill_(beyond, 0), length

    def represent(self, interaction: Interaction) -> Tensor:
        """The vector of each sample's item history, ``[B, k]``.

        A batch that carries it as the column ``history_vector`` is not encoded again.
        """
        return self.encode(*self.history(interaction), interaction[self.USER_ID])

    def shared_columns(self, interaction: Interaction) -> dict[str, Tensor]:
        """The vector of each sample's item history, which the item's ID has no part in."""
        return {SEQUENCE: self.represent(interaction)}

    def forward(self, interaction: Interaction) -> Tensor:
        fields = self.concat_embed_input_fields(interaction).flatten(1)
        given = SEQUENCE in interaction
        sequence = interaction[SEQUENCE] if given else self.represent(interaction)
        hidden = self.mlp_layers(torch.cat([fields, sequence], dim=1))
        return self.predict_layer(hidden).squeeze(1)

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        return self.loss(self.forward(interaction), interaction[self.LABEL])

    def predict(self, interaction: Interaction) -> Tensor:
        return torch.sigmoid(self.forward(interaction))
