"""Registers for one test, and finds RecBole's quick start where it can be imported."""

from __future__ import annotations

import importlib
import logging
import sys
from types import ModuleType

import pytest

import recbole_mwuf
from recbole_mwuf import registry


@pytest.fixture
def registered(monkeypatch):
    """RecBole knows this package's names within a test, and no longer; it reads ``sys.argv``."""
    monkeypatch.setattr(sys, "argv", ["script.py"])
    recbole_mwuf.register()
    yield
    recbole_mwuf.unregister()


@pytest.fixture
def guests(monkeypatch):
    """Nothing is registered by other tests, and what this one registers is forgotten."""
    for kind in registry._guests.values():
        monkeypatch.setattr(kind, "registered", {})


@pytest.fixture(autouse=True)
def logger_as_it_was():
    """RecBole's quick start gives the process a logger of its own; its tuner takes others away."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def quick_start() -> ModuleType:
    """``recbole.quick_start``, which needs ray."""
    try:
        importlib.import_module("ray.tune")
    except (ImportError, AttributeError) as error:
        pytest.skip(f"recbole.quick_start needs ray, which cannot be imported here: {error}")
    return importlib.import_module("recbole.quick_start")
