"""Data: who is old, who is new, what each item has shown, in batches."""

from recbole_mwuf.data.catalog import Catalog
from recbole_mwuf.data.dataset import ColdStartDataset, load_unless_kept
from recbole_mwuf.data.history import InteractionHistory
from recbole_mwuf.data.item_state import ItemState
from recbole_mwuf.data.loaders import EVENT_TIME, ItemLoader, SetLoader
from recbole_mwuf.data.protocols import Batches, Fields, Loader
from recbole_mwuf.data.split import (
    PHASES,
    SETS,
    VALIDATION,
    WARM_SETS,
    ColdStartSplit,
    cold_start_split,
)
from recbole_mwuf.data.tasks import (
    QUERY,
    SUPPORT,
    ItemTaskLoader,
    UserQueryLoader,
    UserTaskLoader,
    latest_rows,
)

__all__ = [
    "EVENT_TIME",
    "PHASES",
    "QUERY",
    "SETS",
    "SUPPORT",
    "VALIDATION",
    "WARM_SETS",
    "Batches",
    "Catalog",
    "ColdStartDataset",
    "ColdStartSplit",
    "Fields",
    "InteractionHistory",
    "ItemLoader",
    "ItemState",
    "ItemTaskLoader",
    "Loader",
    "SetLoader",
    "UserQueryLoader",
    "UserTaskLoader",
    "cold_start_split",
    "latest_rows",
    "load_unless_kept",
]
