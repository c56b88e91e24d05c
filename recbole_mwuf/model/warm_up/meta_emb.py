"""MetaEmb: Warm Up Cold-start Advertisements (Pan et al., SIGIR 2019)."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.layers import MLPLayers
from torch import Tensor, nn

from recbole_mwuf.data import ColdStartDataset, ItemTaskLoader
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Losses, Stage
from recbole_mwuf.parallel import Shard


class AuthorGenerator(nn.Module):
    """The authors' generator: one dense layer of the embedding's size, tanh, divided by 5."""

    def __init__(self, n_inputs: int, size: int):
        super().__init__()
        self.dense = nn.Linear(n_inputs, size, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.dense(features)) / 5


class MetaEmb(WarmUpMethod):
    """Generates a new item's first ID embedding from its features, so that it learns fast.

    The generator is trained as a meta-learner: an embedding should score one mini-batch of its item
    well, and after one gradient step on that mini-batch score another one well too. New items get
    their generated embedding once; from then on it is trained like any other.

    Args:
        config: Uses ``metaemb_generator``, ``meta_hidden_size``, ``metaemb_cold_lr``,
            ``metaemb_alpha``.
        dataset: The split data set.
        base: A trained base.
    """

    learns = {Stage.META_TRAIN: ("generator",), Stage.WARM_UP: ("new_ids",)}
    assigns = ("new_ids",)

    def __init__(self, config: Any, dataset: ColdStartDataset, base: nn.Module | None = None):
        super().__init__(config, dataset, base)
        self.cold_lr, self.alpha = config["metaemb_cold_lr"], config["metaemb_alpha"]
        self.register_item_features(config)
        n_inputs, size = self.item_features.shape[1], self.table.size
        if config["metaemb_generator"] == "author":
            self.generator: nn.Module = AuthorGenerator(n_inputs, size)
        else:
            layers = [n_inputs, *config["meta_hidden_size"], size]
            self.generator = MLPLayers(layers, last_activation=False)
        self.to(config["device"])

    def meta_loader(self, config: Any, dataset: ColdStartDataset, shard: Shard) -> ItemTaskLoader:
        return ItemTaskLoader(dataset, config["train_batch_size"], config["seed"], shard)

    def loss(self, interaction: Interaction, stage: Stage) -> Losses:
        if stage is Stage.META_TRAIN:
            return self.meta_loss(interaction)
        return super().loss(interaction, stage)

    def meta_loss(self, interaction: Interaction) -> Tensor:
        """α · l_a + (1 - α) · l_b for a batch of :class:`ItemTaskLoader`."""
        (items, a), (_, b) = (half(interaction, i, self.ITEM_ID) for i in (0, 1))
        task, task_of_row = torch.unique_consecutive(items, return_inverse=True)
        embedding = self.generator(self.item_features[task])
        loss_a = self.losses(a, embedding[task_of_row])
        adapted = self.adapt(embedding, loss_a, task_of_row)
        loss_b = self.losses(b, adapted[task_of_row])
        return self.alpha * loss_a.mean() + (1 - self.alpha) * loss_b.mean()

    def losses(self, interaction: Interaction, embedding: Tensor) -> Tensor:
        """Log-loss of every sample with these embeddings, ``[B, k] -> [B]``."""
        first_order = self.new_ids(interaction[self.ITEM_ID]).first_order
        ids = ItemIDs(embedding, first_order)
        return self.objective.loss(self.table, interaction, ids, reduction="none")

    def adapt(self, embedding: Tensor, loss: Tensor, task_of_row: Tensor) -> Tensor:
        """e' = e - cold_lr · ∂l_a/∂e, l_a the mean loss of e's own item; of second order."""
        own_mean = loss / torch.bincount(task_of_row)[task_of_row]
        (gradient,) = torch.autograd.grad(own_mean.sum(), embedding, create_graph=True)
        return embedding - self.cold_lr * gradient

    def start(self, items: Tensor) -> ItemIDs:
        generated = self.generator(self.item_features[items])
        return super().start(items)._replace(embedding=generated)


def half(interaction: Interaction, which: int, item_field: str) -> tuple[Tensor, Interaction]:
    """The first or second half of a batch and its items."""
    size = len(interaction) // 2
    part = Interaction(
        {k: v[which * size : (which + 1) * size] for k, v in interaction.interaction.items()}
    )
    return part[item_field], part
