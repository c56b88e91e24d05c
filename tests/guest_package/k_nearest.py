"""New items start where old items like them are."""

import torch
from torch.nn.functional import normalize

from recbole_mwuf import Setting, WarmUpMethod, register_method
from recbole_mwuf.model.item_table import ItemIDs


@register_method
class KNearest(WarmUpMethod):
    """A new item starts as the mean of the old items whose features are most like its own.

    Args:
        config: Uses ``k_nearest``.
        dataset: The split data set.
        base: A trained base.
    """

    settings = {"k_nearest": Setting(10, "int >= 1", "Old items that a new one starts from.")}
    search_space = "k_nearest choice [1,3,10,30]"

    def __init__(self, config, dataset, base=None):
        super().__init__(config, dataset, base)
        self.k = config["k_nearest"]
        self.register_item_features(config)

    def start(self, items: torch.Tensor) -> ItemIDs:
        old = self.is_old.nonzero().squeeze(1)
        features = normalize(self.item_features)  # X_v: [n_items, n_features · k]
        likeness = features[items] @ features[old].T  # cosines, [B, n_old]
        nearest = likeness.topk(min(self.k, len(old))).indices
        rows = self.table.rows(old)
        first_order = None if rows.first_order is None else rows.first_order[nearest].mean(1)
        return ItemIDs(rows.embedding[nearest].mean(1), first_order)
