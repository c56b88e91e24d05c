"""This package's models under the names that RecBole's own look-ups try."""

from __future__ import annotations

import importlib
import sys

import recbole.data.dataset
import recbole.trainer

from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.registry import BASES, CONTEXT_AWARE, WARM_UP_METHODS
from recbole_mwuf.trainer import WarmUpTrainer


def add_names() -> None:
    """Let RecBole find the methods and AFN, the methods' trainer and their data set.

    ``recbole.utils.get_model`` imports ``recbole.model.<kind>.<name>``; ``get_trainer`` and
    ``create_dataset`` look for ``<Name>Trainer`` and ``<Name>Dataset``. Names that RecBole has
    itself keep their meaning.
    """
    for name, module in {**WARM_UP_METHODS, "AFN": BASES["AFN"]}.items():
        sys.modules[f"{CONTEXT_AWARE}.{name.lower()}"] = importlib.import_module(module)
    for name in WARM_UP_METHODS:
        setattr(recbole.trainer, f"{name}Trainer", WarmUpTrainer)
        setattr(recbole.data.dataset, f"{name}Dataset", ColdStartDataset)
