"""This package's names inside RecBole."""

import sys

import pytest
import recbole.data.dataset
import recbole.trainer
from recbole.data import create_dataset
from recbole.data.dataset import Dataset
from recbole.trainer import Trainer
from recbole.utils import get_model, get_trainer

import recbole_mwuf
from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.recbole_models import CONTEXT_AWARE
from recbole_mwuf.registry import get_model as get_own
from recbole_mwuf.registry import warm_up_methods
from recbole_mwuf.trainer import WarmUpTrainer

OWN = [*warm_up_methods(), "AFN"]


@pytest.fixture
def registered():
    """Registers in the middle of a test; afterwards the names are gone again."""
    yield recbole_mwuf.register
    for name in OWN:
        sys.modules.pop(f"{CONTEXT_AWARE}.{name.lower()}", None)
        vars(recbole.trainer).pop(f"{name}Trainer", None)
        vars(recbole.data.dataset).pop(f"{name}Dataset", None)


def test_names_are_found_only_after_the_call(registered):
    before = {name: get_model(name) for name in ("WideDeep", "BPR", "DIN", "GRU4Rec")}
    for name in OWN:
        # RecBole looks among models of lightgbm last, whether lightgbm is there or not
        with pytest.raises((ValueError, ImportError)):
            get_model(name)
    registered()
    assert {name: get_model(name) for name in OWN} == {name: get_own(name) for name in OWN}
    assert {name: get_model(name) for name in before} == before
    for name in warm_up_methods():
        assert get_trainer(get_model(name).type, name) is WarmUpTrainer
    for name in ("AFN", "WideDeep"):
        assert get_trainer(get_model(name).type, name) is Trainer


def test_data_set_of_a_method_knows_phases(registered, settings):
    registered()
    config = Config("MetaEmb", "tiny", config_dict=settings, base="WideDeep")
    assert type(create_dataset(config)) is ColdStartDataset
    config = Config("WideDeep", "tiny", config_dict=settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataset, "__init__", lambda self, config: None)
        assert type(create_dataset(config)) is Dataset
