from recbole_mwuf.data.dataloader import SetLoader
from recbole_mwuf.data.dataset import ColdStartDataset
from recbole_mwuf.data.history import InteractionHistory
from recbole_mwuf.data.split import PHASES, SETS, WARM_SETS, ColdStartSplit, cold_start_split

__all__ = [
    "PHASES",
    "SETS",
    "WARM_SETS",
    "ColdStartDataset",
    "ColdStartSplit",
    "InteractionHistory",
    "SetLoader",
    "cold_start_split",
]
