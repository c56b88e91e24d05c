"""MWUF: Learning to Warm Up Cold Item Embeddings (Zhu et al., SIGIR 2021)."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.layers import MLPLayers
from torch import Tensor, nn

from recbole_mwuf.data import ColdStartDataset, Loader
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.served import Served, WarmUpFunction
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.parallel import Shard


class MWUF(WarmUpMethod):
    """Meta Warm Up Framework: scale and shift cold ID embeddings into warm ones (Algorithm 1).

    Every cold ID embedding starts as the mean of the old items' (section 3.2). Two meta networks
    transform it: the scaling network reads the item's features (Eq. 3), the shifting network the
    mean of the users who interacted with the item so far (Eq. 4).

    Args:
        config: Uses ``mwuf_variant``, ``meta_hidden_size``, ``meta_sample_order``,
            ``interacted_users``.
        dataset: The split data set.
        base: A trained base.

    Raises:
        UserError: if the scaling network would have no item features to read.
    """

    learns = dict.fromkeys(
        (Stage.META_TRAIN, Stage.WARM_UP), ("new_ids", "meta_scaling", "meta_shifting")
    )
    assigns = ("mean_users",)
    reads_users = True

    def __init__(self, config: Any, dataset: ColdStartDataset, base: nn.Module | None = None):
        super().__init__(config, dataset, base)
        variant = config["mwuf_variant"]
        size, n_items = self.table.size, self.table.n_items
        hidden = list(config["meta_hidden_size"])
        self.meta_scaling = self.meta_shifting = None
        if variant in ("full", "scale"):
            self.register_item_features(config, "; mwuf_variant=shift does without")
            n_inputs = self.item_features.shape[1]
            self.meta_scaling = MLPLayers([n_inputs, *hidden, size], last_activation=False)
        if variant in ("full", "shift"):
            self.meta_shifting = MLPLayers([size, *hidden, size], last_activation=False)
        self.register_buffer("mean_users", torch.zeros(n_items, size))
        self.to(config["device"])

    @property
    def has_meta_training(self) -> bool:
        return not (self.meta_scaling is None and self.meta_shifting is None)

    def meta_loader(self, config: Any, dataset: ColdStartDataset, shard: Shard) -> Loader:
        order = config["meta_sample_order"]
        return self.objective.loader(config, dataset, "old", order, shard)

    def note(self, items: Tensor, mean_users: Tensor) -> None:
        self.mean_users[items] = mean_users

    def transform(self, cold: Tensor, features: Tensor | None, mean_users: Tensor) -> Tensor:
        """Eq. 5: v ⊙ τ_scale + τ_shift.

        Args:
            cold: v, ``[B, k]``.
            features: X_v, ``[B, n_features · k]``; not read without a scaling network.
            mean_users: G(U(v)), ``[B, k]``.
        """
        warm = cold
        if self.meta_scaling is not None:
            warm = warm * self.meta_scaling(features)  # Eq. 3
        if self.meta_shifting is not None:
            warm = warm + self.meta_shifting(mean_users)  # Eq. 4
        return warm

    def warm_up(self, cold: ItemIDs, items: Tensor) -> ItemIDs:
        """The warm ID parameters of items ``[B]``; first-order weights stay as they are."""
        features = None if self.meta_scaling is None else self.item_features[items]
        warm = self.transform(cold.embedding, features, self.mean_users[items])
        return cold._replace(embedding=warm)

    def warm(self, items: Tensor) -> ItemIDs:
        return self.warm_up(self.new_ids(items), items)

    def cold_and_warm(self, items: Tensor) -> tuple[ItemIDs, ItemIDs]:
        """Algorithm 1, lines 4 to 6.

        The warm embedding is made from the cold one without its gradient, so one backward pass
        through the sum of their losses is the two separate updates.
        """
        cold = self.new_ids(items)
        return cold, self.warm_up(cold.detach(), items)

    def loss(self, interaction: Interaction, stage: Stage) -> tuple[Tensor, Tensor]:
        """Lines 7 to 9: L_cold moves φ_new, L_warm the two networks (Eq. 6)."""
        cold, warm = self.cold_and_warm(interaction[self.ITEM_ID])
        if stage is Stage.WARM_UP:
            return self.log_loss(interaction, cold), self.log_loss(interaction, warm)
        # the same from one forward pass over 2B rows: step 2 is where the time goes, and a step
        # on one sample is mostly the forward passes' overhead
        l_cold, l_warm = self.log_losses(interaction, cold, warm)
        return l_cold, l_warm

    def served_modules(self) -> dict[str, Served]:
        """Eq. 5 as a function of an item's features, mean user and cold row."""
        return {"warm_up": WarmUpFunction(self)}
