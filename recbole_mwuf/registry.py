"""Names on the command line -> classes: this package's and its guests' first, then RecBole's.

A guest registers a class with a decorator, or a package of its own names it in an entry point:

    [project.entry-points."recbole_mwuf.methods"]
    MyMethod = "my_package:MyMethod"
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from logging import getLogger
from typing import TypeVar

from recbole.model.abstract_recommender import AbstractRecommender, ContextRecommender
from recbole.utils import ModelType

from recbole_mwuf.errors import UserError
from recbole_mwuf.guests import Guests
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.recbole_models import context_aware_models, get_recbole_model
from recbole_mwuf.settings import Setting, read_settings

Model = TypeVar("Model", bound=type)

METHODS = "recbole_mwuf.methods"  # groups of entry points
BASES = "recbole_mwuf.bases"
_OWN = {
    METHODS: {
        "DropoutNet": "recbole_mwuf.model.warm_up.dropoutnet",
        "KalmanWarmUp": "recbole_mwuf.model.warm_up.kalman",
        "MeLU": "recbole_mwuf.model.warm_up.melu",
        "MetaEmb": "recbole_mwuf.model.warm_up.meta_emb",
        "MWUF": "recbole_mwuf.model.warm_up.mwuf",
    },
    BASES: {
        "AFN": "recbole_mwuf.model.base.afn",
        "DIN": "recbole_mwuf.model.base.din",
        "GRU4Rec": "recbole_mwuf.model.base.sequence_encoders",
        "NARM": "recbole_mwuf.model.base.sequence_encoders",
        "SASRec": "recbole_mwuf.model.base.sequence_encoders",
        "STAMP": "recbole_mwuf.model.base.sequence_encoders",
        "TasteBoost": "recbole_mwuf.model.base.taste_boost",
        "TasteMean": "recbole_mwuf.model.base.taste_rivals",
        "UserMean": "recbole_mwuf.model.base.taste_rivals",
    },
}
# they bypass the table of ID embeddings that all other context-aware models of RecBole read; a
# model unknown here is found out when it scores its first row (model/item_table/column.py)
WITHOUT_ID_EMBEDDINGS = ("FFM", "LR")
# a method's settings are left out of what tells pre-trained bases apart (experiment/keys.py): it
# may declare none that a base reads; nor may a base declare one of a method
_guests = {
    METHODS: Guests(
        *(METHODS, WarmUpMethod),
        ["overall", "recbole", "tuning", *(f"model/{base}" for base in _OWN[BASES])],
    ),
    BASES: Guests(BASES, ContextRecommender, [f"model/{method}" for method in _OWN[METHODS]]),
}
_not_imported: list[str] = []  # why modules of the parent process are not to be had in this one


def register_method(method: Model) -> Model:
    """Make a warm-up method known under its class's name; also as a decorator.

    What is defined anew, in a cell of a notebook, takes the place of what it was::

        @register_method
        class MyMethod(WarmUpMethod): ...

    Args:
        method: A subclass of :class:`~recbole_mwuf.model.warm_up.method.WarmUpMethod`.

    Raises:
        UserError: if it is no such class, its name is taken, or it declares no proper settings.
    """
    return _register(METHODS, method)


def register_base(base: Model) -> Model:
    """Make a base model known under its class's name; as :func:`register_method`.

    Args:
        base: A RecBole context-aware model, or an
            :class:`~recbole_mwuf.model.base.item_side.ItemSideRecommender`.

    Raises:
        UserError: if it is no such class, its name is taken, or it declares no proper settings.
    """
    return _register(BASES, base)


def _register(group: str, model: Model) -> Model:
    _guests[group].check(model)
    if owner := _owner(model):
        raise UserError(
            f"{model.__name__} cannot be registered: {owner} has that name; give it another one"
        )
    _guests[group].registered[model.__name__] = model
    return model


def _owner(model: type) -> str:
    """Who else has a model's name; empty if no one has."""
    name = model.__name__
    if any(name in own for own in _OWN.values()):
        return "a model of recbole-mwuf"
    others = filter(None, (guests.other_of(model) for guests in _guests.values()))
    return next(others, "a model of RecBole" if _of_recbole(name) is not None else "")


def registered_modules() -> list[str]:
    """Modules whose import registers what was registered here, for another process."""
    models = (model for guests in _guests.values() for model in guests.registered.values())
    modules = {model.__module__ for model in models}
    return sorted(modules - {"__main__", "__mp_main__"})  # a new process runs these by itself


def import_modules(modules: Iterable[str]) -> None:
    """The counterpart of :func:`registered_modules` in the other process."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:  # told to who asks for a model that is not there
            _not_imported.append(str(error))


def names(group: str) -> set[str]:
    """Names of a group's models: this package's, installed ones, registered ones."""
    return {*_OWN[group], *_guests[group].names()}


def _find(group: str, name: str) -> type | None:
    """A group's class of a name; None if it has none."""
    if name in _OWN[group]:
        return getattr(importlib.import_module(_OWN[group][name]), name)
    return _guests[group].find(name)


def get_model(name: str) -> type[AbstractRecommender]:
    """The model class of a name.

    Args:
        name: A warm-up method, a base of this package or a guest's, or a model of RecBole.

    Raises:
        UserError: if no model has that name; the message suggests the nearest names.
    """
    found = _find(METHODS, name) or _find(BASES, name)
    if found is not None:
        return found
    model = _of_recbole(name)
    if model is None:
        reasons = "".join(f" ({reason})" for reason in _not_imported)
        raise UserError(f"there is no model '{name}'. {_suggestion(name)}{reasons}")
    return model


def _of_recbole(name: str) -> type[AbstractRecommender] | None:
    """RecBole's model of a name; None if it has none."""
    try:
        return get_recbole_model(name)
    except (ValueError, AttributeError, ImportError):
        return None


def get_base(name: str) -> type[ContextRecommender]:
    """The class of a base model: context-aware, trained point-wise on labels.

    Raises:
        UserError: if the name is unknown or the model is of another kind.
    """
    if is_warm_up_method(name):
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
    return name in names(METHODS)


def get_method(name: str) -> type[WarmUpMethod]:
    """The class that takes a model through the phases; for a plain base, the one without warm-up.

    Args:
        name: A warm-up method or a base.

    Raises:
        UserError: if no model has that name.
    """
    found = _find(METHODS, name)
    if found is None:
        get_model(name)
    return found or NoWarmUp


def warm_up_methods() -> list[str]:
    """Names of all warm-up methods."""
    return sorted(names(METHODS))


def usable_methods() -> list[str]:
    """Those that can be loaded: a guest's package that is broken is left out with a warning."""
    return [name for name in warm_up_methods() if _loads(name)]


@cache
def _loads(method: str) -> bool:
    try:
        _find(METHODS, method)
    except UserError as error:
        getLogger().warning(f"left out: {error}")
        return False
    return True


def own_methods() -> list[str]:
    """Names of this package's own warm-up methods."""
    return sorted(_OWN[METHODS])


def known_bases() -> list[str]:
    """Names of RecBole's context-aware models and of all other bases, those refused too."""
    return sorted(context_aware_models() | names(BASES))


def settings_of(name: str) -> Mapping[str, Setting]:
    """What a method or a base declares for itself: in its class, else in ``properties/model/``."""
    model = _find(METHODS, name) or _find(BASES, name)
    declared = getattr(model, "settings", None)
    return read_settings(f"model/{name}") if declared is None else declared


def _bases() -> set[str]:
    return set(known_bases()).difference(WITHOUT_ID_EMBEDDINGS)


def _suggestion(name: str) -> str:
    known = sorted(_bases() | names(METHODS))
    by_lower = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(by_lower[n] for n in near)}?"
    return f"Known are {', '.join(known)}."
