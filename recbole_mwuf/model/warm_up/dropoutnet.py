"""DropoutNet: Addressing Cold Start in Recommender Systems (Volkovs et al., NeurIPS 2017)."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn

from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.method import Stage, WarmUpMethod


class DropoutNet(WarmUpMethod):
    """A base that has learned to do without item IDs: they are replaced by the item's users.

    In pre-training, a sample's ID embedding gives way with probability p to the mean embedding of
    the users who interacted with the item. A new item's ID input is the mean of the users that it
    has shown so far plus what it has learned itself, which starts at zero: so a mean that grows
    does not wipe out what was learned. There is no extra module.

    Args:
        config: Uses ``dropoutnet_p``, ``dropoutnet_refresh``, ``interacted_users``.
        dataset: The split data set.
        base: A base trained by this class's pre-training.
    """

    shares_pretrained_base = False
    assigns = ("mean_users",)
    reads_users = True

    def __init__(self, config: Any, dataset: ColdStartDataset, base: nn.Module | None = None):
        super().__init__(config, dataset, base)
        self.p, self.refresh = config["dropoutnet_p"], config["dropoutnet_refresh"]
        self.dataset = dataset
        self.steps = 0
        self.register_buffer("mean_users", torch.zeros(self.table.n_items, self.table.size))
        self.to(config["device"])
        self.new_ids.assign(self.all_items(), self.start(self.all_items()))

    def pretrain_loss(self, interaction: Interaction) -> Tensor:
        """Step 1: the base's log-loss with a share p of the ID embeddings replaced."""
        if self.steps % self.refresh == 0:  # the users' embeddings are being learned
            self.observe(self.dataset.history, "cold")
        self.steps += 1
        items = interaction[self.ITEM_ID]
        own = self.table.rows(items)
        dropped = torch.rand(len(items), device=items.device) < self.p
        replaced = ItemIDs(self.mean_users[items], own.first_order)
        return self.log_loss(interaction, ItemIDs.where(dropped, replaced, own))

    def start(self, items: Tensor) -> ItemIDs:
        common = super().start(items)
        return common._replace(embedding=torch.zeros_like(common.embedding))

    def note(self, items: Tensor, mean_users: Tensor) -> None:
        self.mean_users[items] = mean_users

    def warm(self, items: Tensor) -> ItemIDs:
        learned = self.new_ids(items)
        return learned._replace(embedding=self.mean_users[items] + learned.embedding)

    def loss(self, interaction: Interaction, stage: Stage) -> Tensor:
        return self.log_loss(interaction, self.warm(interaction[self.ITEM_ID]))
