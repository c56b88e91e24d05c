"""This package's models where RecBole's own look-ups try them.

RecBole imports ``recbole.model.<kind>.<name>`` for a model, and asks ``recbole.trainer`` and
``recbole.data.dataset`` for ``<Name>Trainer`` and ``<Name>Dataset``. Names are looked up when
RecBole asks, so that a guest who registers later is found as well.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import recbole.model
from recbole.model.abstract_recommender import AbstractRecommender

from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.integration.trainer import PhaseTrainer
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.recbole_models import CONTEXT_AWARE
from recbole_mwuf.registry import BASES, get_model, names, usable_methods

# the plain base in the phases of the protocol: what a method is compared with
PLAIN = NoWarmUp.__name__


def is_method(name: str) -> bool:
    """Whether RecBole shall take a name for a warm-up method, or for :data:`PLAIN`."""
    return name in (*usable_methods(), PLAIN) and not _is_recboles(name)


def is_base(name: str) -> bool:
    """Whether RecBole shall take a name for a base that it lacks."""
    return name in names(BASES) and not _is_recboles(name)


def _is_recboles(name: str) -> bool:
    """Whether RecBole has a model of that name: it keeps its meaning. Nothing is imported."""
    return any(
        Path(folder, kind.name, f"{name.lower()}.py").is_file()
        for folder in recbole.model.__path__
        for kind in Path(folder).iterdir()
    )


def _added() -> list[str]:
    return [name for name in (*usable_methods(), PLAIN, *names(BASES)) if not _is_recboles(name)]


def model_named(name: str) -> type[AbstractRecommender]:
    """A model that RecBole lacks.

    Raises:
        AttributeError: if there is none of that name, as of a module without it.
    """
    if name == PLAIN:
        return NoWarmUp
    if not is_method(name) and not is_base(name):
        raise AttributeError(f"recbole_mwuf has no model '{name}' that RecBole lacks")
    return get_model(name)


def trainer_named(name: str) -> type:
    """``<Name>Trainer`` of a warm-up method; AttributeError for any other name."""
    return _of_method(name, "Trainer", PhaseTrainer)


def dataset_named(name: str) -> type:
    """``<Name>Dataset`` of a warm-up method; AttributeError for any other name."""
    return _of_method(name, "Dataset", ColdStartDataset)


def _of_method(name: str, suffix: str, found: type) -> type:
    if name.endswith(suffix) and is_method(name[: -len(suffix)]):
        return found
    raise AttributeError(f"there is no '{name}' in RecBole, and no method of that name")


class _Models(MetaPathFinder, Loader):
    """Answers to ``import recbole.model.context_aware_recommender.<name>``."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, tail = fullname.rpartition(".")
        if package == CONTEXT_AWARE and tail in map(str.lower, _added()):
            return spec_from_loader(fullname, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__getattr__"] = model_named


@contextmanager
def importable_models() -> Iterator[None]:
    """While open, RecBole finds the models that it lacks; afterwards no trace of them is left."""
    finder = _Models()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if getattr(module, "__loader__", None) is finder:
                del sys.modules[name]
                package, _, tail = name.rpartition(".")
                vars(sys.modules[package]).pop(tail, None)
