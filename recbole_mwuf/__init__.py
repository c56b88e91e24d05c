"""Cold-start warm-up of new items for RecBole.

Names here are loaded when they are first used: ``import recbole_mwuf`` costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from recbole_mwuf.config import Config
    from recbole_mwuf.data import ColdStartDataset
    from recbole_mwuf.integration import register, unregister
    from recbole_mwuf.model.warm_up.method import WarmUpMethod
    from recbole_mwuf.model.warm_up.stage import Stage
    from recbole_mwuf.online import ItemWarmer
    from recbole_mwuf.quick_start import run
    from recbole_mwuf.registry import register_base, register_method
    from recbole_mwuf.settings import Setting

_HOMES = {
    "ColdStartDataset": "recbole_mwuf.data",
    "Config": "recbole_mwuf.config",
    "ItemWarmer": "recbole_mwuf.online",
    "Setting": "recbole_mwuf.settings",
    "Stage": "recbole_mwuf.model.warm_up.stage",
    "WarmUpMethod": "recbole_mwuf.model.warm_up.method",
    "register": "recbole_mwuf.integration",
    "register_base": "recbole_mwuf.registry",
    "register_method": "recbole_mwuf.registry",
    "run": "recbole_mwuf.quick_start",
    "unregister": "recbole_mwuf.integration",
}

__all__ = [
    "ColdStartDataset",
    "Config",
    "ItemWarmer",
    "Setting",
    "Stage",
    "WarmUpMethod",
    "__version__",
    "register",
    "register_base",
    "register_method",
    "run",
    "unregister",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recbole_mwuf' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
