"""This package's models under the names that RecBole's own look-ups try."""

from __future__ import annotations

import importlib
import sys

import recbole.data.dataset
import recbole.trainer

from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.recbole_models import CONTEXT_AWARE
from recbole_mwuf.registry import get_model, usable_methods
from recbole_mwuf.trainer import WarmUpTrainer


def register() -> None:
    """Let RecBole find the methods and AFN, the methods' trainer and their data set.

    ``recbole.utils.get_model`` imports ``recbole.model.<kind>.<name>``; ``get_trainer`` and
    ``create_dataset`` look for ``<Name>Trainer`` and ``<Name>Dataset``. Names that RecBole has
    itself keep their meaning.
    """
    for name in [*usable_methods(), "AFN"]:
        module = importlib.import_module(get_model(name).__module__)
        sys.modules[f"{CONTEXT_AWARE}.{name.lower()}"] = module
    for name in usable_methods():
        setattr(recbole.trainer, f"{name}Trainer", WarmUpTrainer)
        setattr(recbole.data.dataset, f"{name}Dataset", ColdStartDataset)


def unregister() -> None:
    """Give RecBole back as it was."""
    for name in [*usable_methods(), "AFN"]:
        sys.modules.pop(f"{CONTEXT_AWARE}.{name.lower()}", None)
    for name in usable_methods():
        vars(recbole.trainer).pop(f"{name}Trainer", None)
        vars(recbole.data.dataset).pop(f"{name}Dataset", None)
