"""RecBole's own models by name, without what looking them up does on the side."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from recbole.model.abstract_recommender import AbstractRecommender
from recbole.utils import get_model

CONTEXT_AWARE = "recbole.model.context_aware_recommender"


def get_recbole_model(name: str) -> type[AbstractRecommender]:
    """RecBole's model of a name, also where this package has one of the same name.

    Raises:
        ValueError | AttributeError | ImportError: if RecBole has none.
    """
    with _anomaly_detection_untouched():
        found = get_model(name)
    if found.__module__.partition(".")[0] != "recbole":  # see recbole_mwuf.register
        raise ValueError(f"{name} is no model of RecBole")
    return found


def context_aware_models() -> set[str]:
    """Names of RecBole's context-aware models."""
    package = importlib.import_module(CONTEXT_AWARE)
    return {name for name in dir(package) if isinstance(getattr(package, name), type)}


@contextmanager
def _anomaly_detection_untouched() -> Iterator[None]:
    """RecBole's sine.py switches autograd's anomaly mode on when it is imported: 2.8x slower."""
    before = torch.is_anomaly_enabled()
    try:
        yield
    finally:
        torch.autograd.set_detect_anomaly(before)
