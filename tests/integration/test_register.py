"""What register() changes, that unregister() gives it back, and that nothing changes without."""

from __future__ import annotations

import subprocess
import sys

import pytest
import recbole.data.dataset
import recbole.model.context_aware_recommender as context_aware
import recbole.trainer
import torch
from recbole.config import Config as RecBoleConfig
from recbole.data import create_dataset
from recbole.data.dataset import Dataset
from recbole.trainer import Trainer, hyper_tuning
from recbole.utils import get_model, get_trainer
from recbole.utils.argument_list import dataset_arguments
from scipy.sparse import dok_matrix

import recbole_mwuf
from recbole_mwuf import registry
from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.integration.trainer import PhaseTrainer
from recbole_mwuf.model.warm_up.mwuf import MWUF
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.recbole_models import CONTEXT_AWARE

OWN = [*registry.warm_up_methods(), "AFN"]
OWNERS = (
    *(RecBoleConfig, recbole.trainer, recbole.data.dataset, context_aware, torch),
    *(torch.multiprocessing, dok_matrix, hyper_tuning),
)


def state():
    """Every attribute that might be replaced, by identity, and the lists that might grow."""
    attributes = {(owner, name): id(v) for owner in OWNERS for name, v in vars(owner).items()}
    modules = {name for name in sys.modules if name.startswith(CONTEXT_AWARE)}
    return attributes, modules, list(map(id, sys.meta_path)), list(dataset_arguments)


def changed(before, after):
    return {
        (getattr(owner, "__name__", owner), name)
        for owner, name in before[0].keys() | after[0].keys()
        if before[0].get((owner, name)) != after[0].get((owner, name))
    }


def test_everything_is_given_back():
    before = state()
    for _ in range(2):
        recbole_mwuf.register()
        recbole_mwuf.register()  # harmless
        for name in OWN:
            get_model(name)
        assert changed(before, state()) == {
            ("Config", "__init__"),
            ("recbole.trainer", "__getattr__"),
            ("recbole.data.dataset", "__getattr__"),
            *(("recbole.model.context_aware_recommender", name.lower()) for name in OWN),
            ("torch", "load"),
            ("torch.multiprocessing", "spawn"),
            ("dok_matrix", "_update"),
            ("recbole.trainer.hyper_tuning", "exhaustive_search"),
        }
        recbole_mwuf.unregister()
        assert state() == before
        recbole_mwuf.unregister()  # harmless as well


WITHOUT = """
import sys, torch, recbole.quick_start, recbole.data.dataset
from recbole.config import Config
from recbole.trainer import hyper_tuning
from scipy.sparse import dok_matrix

def state():
    modules = [recbole.trainer, recbole.data.dataset, dok_matrix]
    return [
        *(Config.__init__, torch.load, torch.multiprocessing.spawn),
        *(hyper_tuning.exhaustive_search, *(dict(vars(module)) for module in modules)),
        *(list(sys.meta_path), [n for n in sys.modules if "mwuf" in n and n.startswith("recbole.")])
    ]

before = state()
import recbole_mwuf, recbole_mwuf.cli.run, recbole_mwuf.integration, recbole_mwuf.online
recbole_mwuf.Config("MWUF", "ml-100k")
assert state() == before
"""


def test_nothing_changes_without_the_call(quick_start):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_names_are_found_only_after_the_call(registered):
    known = ("WideDeep", "BPR", "DIN", "GRU4Rec", "SASRec", "NARM", "STAMP")
    after = {name: get_model(name) for name in known}
    assert {name: get_model(name) for name in OWN} == {n: registry.get_model(n) for n in OWN}
    assert get_model("NoWarmUp") is NoWarmUp
    for name in registry.warm_up_methods():
        assert get_trainer(get_model(name).type, name) is PhaseTrainer
    for name in ("AFN", "WideDeep"):
        assert get_trainer(get_model(name).type, name) is Trainer
    recbole_mwuf.unregister()
    assert {name: get_model(name) for name in known} == after
    assert all(model.__module__.startswith("recbole.") for model in after.values())
    for name in OWN:
        # RecBole looks among models of lightgbm last, whether lightgbm is there or not
        with pytest.raises((ValueError, ImportError)):
            get_model(name)
    with pytest.raises(AttributeError):
        _ = recbole.trainer.MWUFTrainer


ANOMALY = """
import torch, recbole_mwuf
from recbole.utils import get_model
recbole_mwuf.register()
get_model("SASRec")
assert not torch.is_anomaly_enabled()
"""


def test_a_sequential_model_does_not_slow_down_the_process():
    """One look-up by RecBole would make every later backward pass 2.8 times as slow."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", ANOMALY], check=True)


def test_other_names_are_missing_as_before(registered):
    with pytest.raises((ValueError, ImportError)):
        get_model("NoSuchModel")
    for module in (recbole.trainer, recbole.data.dataset):
        with pytest.raises(AttributeError, match="NoSuchTrainer"):
            _ = module.NoSuchTrainer
    with pytest.raises(ImportError):
        exec("from recbole.model.context_aware_recommender.mwuf import NoSuchModel")


def test_data_set_of_a_method_knows_phases(registered, settings):
    config = Config("MetaEmb", "tiny", config_dict=settings)
    assert type(create_dataset(config)) is ColdStartDataset
    config = Config("WideDeep", "tiny", config_dict=settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataset, "__init__", lambda self, config: None)
        assert type(create_dataset(config)) is Dataset


def test_guests_are_found_also_if_they_come_later(registered, guests):
    class Guest(MWUF):
        pass

    registry.register_method(Guest)
    assert get_model("Guest") is Guest
    assert get_trainer(Guest.type, "Guest") is PhaseTrainer
    first = Guest

    class Guest(MWUF):  # a notebook's cell is run again
        pass

    Guest.__qualname__ = first.__qualname__
    registry.register_method(Guest)
    assert get_model("Guest") is Guest is not first


def test_a_guest_does_not_take_a_name_of_recbole(registered, guests):
    """register_method refuses it; an installed package's entry point may have it."""
    theirs = get_model("SASRecF")
    registry._guests[registry.METHODS].registered["SASRecF"] = MWUF
    assert get_model("SASRecF") is theirs
    with pytest.raises(AttributeError):
        _ = recbole.trainer.SASRecFTrainer
