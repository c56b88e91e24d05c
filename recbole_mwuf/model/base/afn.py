"""Adaptive Factorization Network (Cheng et al., AAAI 2020), which RecBole lacks."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import ContextRecommender
from recbole.model.init import xavier_normal_initialization
from recbole.model.layers import MLPLayers
from torch import Tensor, nn


class LogarithmicLayer(nn.Module):
    """Cross features of adaptive order: products of powers of the fields' embeddings.

    Neuron j computes ``exp(sum_i w_ij * ln(|e_i| + eps))``, that is ``prod_i (|e_i| + eps)^w_ij``,
    elementwise; the powers are learned. The logarithms and the products are batch-normalised, as
    in the authors' code.

    Args:
        n_fields: Number of fields F.
        n_neurons: Number of logarithmic neurons J.
        eps: Keeps the logarithm finite.
    """

    def __init__(self, n_fields: int, n_neurons: int, eps: float = 1e-4):
        super().__init__()
        self.eps = eps
        self.log_norm = nn.BatchNorm1d(n_fields)
        self.powers = nn.Linear(n_fields, n_neurons)
        self.exp_norm = nn.BatchNorm1d(n_neurons)

    def forward(self, embeddings: Tensor) -> Tensor:
        """``[B, F, k] -> [B, J, k]``."""
        logarithms = self.log_norm(torch.log(embeddings.abs() + self.eps))
        products = torch.exp(self.powers(logarithms.transpose(1, 2)))
        return self.exp_norm(products.transpose(1, 2))


class AFN(ContextRecommender):
    """Learns cross features of any order from data; with ``afn_ensemble`` the paper's AFN+.

    Args:
        config: Uses ``log_neurons``, ``mlp_hidden_size``, ``dropout_prob``, ``afn_ensemble``.
        dataset: A RecBole data set.
    """

    id_coordinates = "log_size"  # in which ID embeddings are normally distributed (KalmanWarmUp)

    def __init__(self, config: Any, dataset: Any):
        super().__init__(config, dataset)
        hidden, dropout = config["mlp_hidden_size"], config["dropout_prob"]
        size, n_fields, n_neurons = (
            self.embedding_size,
            self.num_feature_field,
            config["log_neurons"],
        )
        self.logarithmic_layer = LogarithmicLayer(n_fields, n_neurons)
        self.mlp_layers = MLPLayers([n_neurons * size, *hidden], dropout)
        self.predict_layer = nn.Linear(hidden[-1], 1)
        self.deep_layers = None
        if config["afn_ensemble"]:
            self.deep_layers = nn.Sequential(
                MLPLayers([n_fields * size, *hidden], dropout), nn.Linear(hidden[-1], 1)
            )
        self.loss = nn.BCEWithLogitsLoss()
        self.apply(xavier_normal_initialization)

    def forward(self, interaction: Interaction) -> Tensor:
        embeddings = self.concat_embed_input_fields(interaction)
        crossed = self.logarithmic_layer(embeddings)
        logit = self.predict_layer(self.mlp_layers(crossed.flatten(1)))
        if self.deep_layers is not None:
            logit = logit + self.deep_layers(embeddings.flatten(1))
        return logit.squeeze(1)

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        return self.loss(self.forward(interaction), interaction[self.LABEL])

    def predict(self, interaction: Interaction) -> Tensor:
        return torch.sigmoid(self.forward(interaction))
