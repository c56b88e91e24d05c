"""DropoutNet: Addressing Cold Start in Recommender Systems (Volkovs et al., NeurIPS 2017)."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn

from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.method import WarmUpMethod


class DropoutNet(WarmUpMethod):
    """A base that has learned to do without item IDs: they are replaced by the item's users.

    In pre-training, a sample's ID embedding gives way with probability p to the mean embedding of
    the users who interacted with the item. New items start every phase from the mean of the users
    that they have shown so far. There is no extra module and no step 2.

    Args:
        config: Uses ``dropoutnet_p``, ``dropoutnet_refresh``, ``interacted_users``.
        dataset: The split data set.
        base: A base trained by this class's pre-training.
    """

    shares_pretrained_base = False
    assigns = ("new_ids",)
    reads_users = True

    def __init__(self, config: Any, dataset: ColdStartDataset, base: nn.Module | None = None):
        super().__init__(config, dataset, base)
        self.p, self.refresh = config["dropoutnet_p"], config["dropoutnet_refresh"]
        self.dataset = dataset
        self.steps = 0
        self.mean_users = torch.zeros(self.table.n_items, self.table.size)

    def pretrain_loss(self, interaction: Interaction) -> Tensor:
        """Step 1: the base's log-loss with a share p of the ID embeddings replaced."""
        if self.steps % self.refresh == 0:  # the users' embeddings are being learned
            self.mean_users = self.mean_interacted_users(self.dataset.history, "cold")
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
        self.new_ids.assign(items, ItemIDs(mean_users))
