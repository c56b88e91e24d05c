"""A base: a gate weighs the fields before a network reads them."""

import torch
from recbole.model.abstract_recommender import ContextRecommender
from recbole.model.init import xavier_normal_initialization
from recbole.model.layers import MLPLayers
from torch import nn

from recbole_mwuf import Setting, register_base


@register_base
class GatedMLP(ContextRecommender):
    """The fields' weights are a function of all fields (SENet, as in FiBiNET, RecSys 2019)."""

    settings = {"gate_size": Setting(8, "int >= 1", "Neurons of the gate.")}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        n, hidden = self.num_feature_field, [*config["mlp_hidden_size"]]
        size = config["gate_size"]
        self.gate = nn.Sequential(nn.Linear(n, size), nn.ReLU(), nn.Linear(size, n), nn.Sigmoid())
        self.mlp = MLPLayers([n * self.embedding_size, *hidden], config["dropout_prob"])
        self.output = nn.Linear(hidden[-1], 1)
        self.loss = nn.BCEWithLogitsLoss()
        self.apply(xavier_normal_initialization)

    def forward(self, interaction):
        fields = self.concat_embed_input_fields(interaction)  # [B, n, k]
        weights = self.gate(fields.mean(2)).unsqueeze(2)
        return self.output(self.mlp((fields * weights).flatten(1))).squeeze(1)

    def calculate_loss(self, interaction):
        return self.loss(self.forward(interaction), interaction[self.LABEL])

    def predict(self, interaction):
        return torch.sigmoid(self.forward(interaction))
