"""A plain base in the same phases: what a method is compared with."""

from __future__ import annotations

from torch import Tensor

from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.settings import read_search_space


class NoWarmUp(WarmUpMethod):
    """The plain base: new items start from the base's own, untrained rows."""

    search_space = read_search_space("base")

    def start(self, items: Tensor) -> ItemIDs:
        return self.table.rows(items)
