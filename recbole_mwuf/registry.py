"""Names on the command line -> classes: this package's own first, then RecBole's."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from recbole.model.abstract_recommender import AbstractRecommender, ContextRecommender
from recbole.utils import ModelType
from recbole.utils import get_model as _get_recbole_model

from recbole_mwuf.errors import UserError

CONTEXT_AWARE = "recbole.model.context_aware_recommender"
BASES = {
    "AFN": "recbole_mwuf.model.base.afn",
    "DIN": "recbole_mwuf.model.base.din",
    "GRU4Rec": "recbole_mwuf.model.base.sequence_encoders",
    "NARM": "recbole_mwuf.model.base.sequence_encoders",
    "SASRec": "recbole_mwuf.model.base.sequence_encoders",
    "STAMP": "recbole_mwuf.model.base.sequence_encoders",
}
WARM_UP_METHODS = {
    "DropoutNet": "recbole_mwuf.model.warm_up.dropoutnet",
    "MeLU": "recbole_mwuf.model.warm_up.melu",
    "MetaEmb": "recbole_mwuf.model.warm_up.meta_emb",
    "MWUF": "recbole_mwuf.model.warm_up.mwuf",
}
# they bypass the table of ID embeddings that all other context-aware models of RecBole read; a
# model unknown here is found out when it scores its first row (model/item_embedding.py)
WITHOUT_ID_EMBEDDINGS = ("FFM", "LR")


def get_model(name: str) -> type[AbstractRecommender]:
    """The model class of a name.

    Args:
        name: A warm-up method, a base of this package, or a model of RecBole.

    Raises:
        UserError: if no model has that name; the message suggests the nearest names.
    """
    for own in (WARM_UP_METHODS, BASES):
        if name in own:
            return getattr(importlib.import_module(own[name]), name)
    try:
        return get_recbole_model(name)
    except (ValueError, AttributeError, ImportError) as error:
        raise UserError(f"there is no model '{name}'. {_suggestion(name)}") from error


def get_recbole_model(name: str) -> type[AbstractRecommender]:
    """RecBole's model of a name, also where this package has one of the same name."""
    with _anomaly_detection_untouched():
        return _get_recbole_model(name)


def get_base(name: str) -> type[ContextRecommender]:
    """The class of a base model: context-aware, trained point-wise on labels.

    Raises:
        UserError: if the name is unknown or the model is of another kind.
    """
    if name in WARM_UP_METHODS:
        raise UserError(f"base={name} is a warm-up method; a base is a model such as WideDeep")
    model_class = get_model(name)
    if model_class.type != ModelType.CONTEXT:
        raise UserError(
            f"{name} is a {model_class.type.name.lower()} recommender; warm-up needs a "
            f"context-aware model that predicts a label, such as {', '.join(sorted(_bases()))}"
        )
    if name in WITHOUT_ID_EMBEDDINGS:
        raise UserError(
            f"base={name} cannot be warmed up: it does not read its item IDs from RecBole's shared "
            f"embedding table, so no other vector can take their place. Use one of "
            f"{', '.join(sorted(_bases()))}."
        )
    return model_class


def is_warm_up_method(name: str) -> bool:
    """Whether a name is a warm-up method, which needs a base."""
    return name in WARM_UP_METHODS


def get_method(name: str) -> type[AbstractRecommender]:
    """The class that takes a model through the phases; for a plain base, the one without warm-up.

    Args:
        name: A warm-up method or a base.
    """
    if is_warm_up_method(name):
        return get_model(name)
    return importlib.import_module("recbole_mwuf.model.warm_up.warm_up_model").NoWarmUp


def known_bases() -> list[str]:
    """Names of RecBole's context-aware models and of this package's bases, those refused too."""
    package = importlib.import_module(CONTEXT_AWARE)
    recbole_names = {n for n in dir(package) if isinstance(getattr(package, n), type)}
    return sorted(recbole_names | set(BASES))


def _bases() -> set[str]:
    return set(known_bases()).difference(WITHOUT_ID_EMBEDDINGS)


def _suggestion(name: str) -> str:
    known = sorted(_bases() | set(WARM_UP_METHODS))
    by_lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(by_lower[n] for n in near)}?"
    return f"Known are {', '.join(known)}."


@contextmanager
def _anomaly_detection_untouched() -> Iterator[None]:
    """RecBole's sine.py switches autograd's anomaly mode on when it is imported: 2.8x slower."""
    before = torch.is_anomaly_enabled()
    try:
        yield
    finally:
        torch.autograd.set_detect_anomaly(before)
