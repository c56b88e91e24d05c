"""RecBole's own ``Config(...)`` for this package's models, and for its own."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
import yaml
from recbole.config import Config as RecBoleConfig

from recbole_mwuf.compat import older_libraries
from recbole_mwuf.config import Config
from recbole_mwuf.errors import UserError
from recbole_mwuf.integration.config import BaseConfig, MethodConfig
from recbole_mwuf.model.warm_up.mwuf import MWUF

pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def arguments(monkeypatch):
    """Sets the arguments of the script that RecBole reads."""
    return lambda *given: monkeypatch.setattr(sys, "argv", ["run_recbole.py", *given])


def test_defaults_of_the_properties_files():
    config = RecBoleConfig("MWUF", "ml-100k")
    assert type(config) is MethodConfig
    assert isinstance(config, RecBoleConfig)
    expected = {"old_item_threshold": 100, "phase_size": 10, "base": "WideDeep", "epochs": 1}
    assert {name: config[name] for name in expected} == expected
    ours = Config("MWUF", "ml-100k")
    assert config.final_config_dict == ours.final_config_dict


def test_where_the_model_may_be_named(arguments):
    Path("a.yaml").write_text("model: MWUF\nbase: FM\n")
    Path("b.yaml").write_text("model: MetaEmb\n")
    assert RecBoleConfig(dataset="ml-100k", config_file_list=["a.yaml"])["base"] == "FM"
    assert RecBoleConfig(dataset="ml-100k", config_file_list=["a.yaml", "b.yaml"])["model"] == (
        "MetaEmb"
    )
    files = {"dataset": "ml-100k", "config_file_list": ["b.yaml"]}
    assert RecBoleConfig(**files, config_dict={"model": "MWUF"})["model"] == "MWUF"
    arguments("--model=MeLU")
    assert RecBoleConfig(**files, config_dict={"model": "MWUF"})["model"] == "MeLU"
    assert RecBoleConfig("MWUF", **files)["model"] == "MWUF"
    assert RecBoleConfig(MWUF, **files)["model"] == "MWUF"


def test_precedence_and_the_command_line_are_recboles(arguments):
    Path("a.yaml").write_text("learning_rate: 0.2\nepochs: 2\nseed: 2\n")
    arguments("--learning_rate=0.4", "--mwuf_variant=shift", "positional", "--a=b=c")
    given = {"config_file_list": ["a.yaml"], "config_dict": {"learning_rate": 0.3, "epochs": 3}}
    config = RecBoleConfig("MWUF", "ml-100k", **given)
    assert [config[n] for n in ("learning_rate", "epochs", "seed")] == [0.4, 3, 2]
    assert config["mwuf_variant"] == "shift"
    assert Config("MWUF", "ml-100k", **given)["learning_rate"] == 0.3  # ours reads no sys.argv


def test_the_scripts_own_arguments_are_left_alone(arguments, caplog):
    """RecBole's significance_test.py has settings files for two models on its command line."""
    Path("other.yaml").write_text("learning_rate: 0.9\n")
    arguments("--config_files=other.yaml other.yaml", "--st_seed=1", "--seeds=4", "--tool=Ray")
    with caplog.at_level(logging.WARNING):
        config = RecBoleConfig("MWUF", "ml-100k")
    assert (config["learning_rate"], config["seed"]) == (0.001, 2021)
    assert "--seeds on the command line is not used" in caplog.text


def test_mistakes_are_refused_as_everywhere(arguments):
    with pytest.raises(UserError, match="there is no setting 'learning_rat'"):
        RecBoleConfig("MWUF", "ml-100k", config_dict={"learning_rat": 1})
    with pytest.raises(UserError, match="learning_rate is 'fast', but must be"):
        RecBoleConfig("MWUF", "ml-100k", config_dict={"learning_rate": "fast"})
    with pytest.raises(UserError, match=r"config_files: cannot read 'none\.yaml'"):
        RecBoleConfig("MWUF", "ml-100k", config_file_list=["none.yaml"])
    arguments("--phase_size=0")
    with pytest.raises(UserError, match="phase_size is 0, but must be int >= 1"):
        RecBoleConfig("MWUF", "ml-100k")


def test_no_setting_is_evaluated(arguments):
    code = "__import__('os').mkdir('attacked')"
    Path("a.yaml").write_text(yaml.safe_dump({"aa": code}))
    arguments(f"--bb={code}")
    RecBoleConfig("MWUF", "ml-100k", ["a.yaml"], {"cc": code})
    assert not Path("attacked").exists()


def test_recboles_own_models_get_recboles_config(settings):
    with older_libraries():
        config = RecBoleConfig("BPR", "ml-100k")
        assert type(config) is RecBoleConfig
        assert config["train_batch_size"] == 2048 and "old_item_threshold" not in config
        din = RecBoleConfig("DIN", "ml-100k", config_dict={"train_neg_sample_args": None})
        assert type(din) is RecBoleConfig and din["MODEL_TYPE"].name == "SEQUENTIAL"
        with pytest.raises(KeyError, match="model need to be specified"):
            RecBoleConfig()


def test_a_base_that_recbole_lacks_in_recboles_world():
    with older_libraries():
        config = RecBoleConfig("AFN", "ml-100k", config_dict={"log_neurons": 8})
        assert type(config) is BaseConfig
        expected = {
            **{"log_neurons": 8, "afn_ensemble": False, "embedding_size": 16},
            **{"mlp_hidden_size": [64, 64, 64], "dropout_prob": 0.0},
            **{"train_batch_size": 2048, "epochs": 300, "seed": 2020},  # RecBole's own
        }
        assert {name: config[name] for name in expected} == expected
        assert config["eval_args"]["split"] == {"RS": [0.8, 0.1, 0.1]}
        with pytest.raises(UserError, match="log_neurons is 0, but must be int >= 1"):
            RecBoleConfig("AFN", "ml-100k", config_dict={"log_neurons": 0})


def test_the_plain_base_in_the_phases(settings):
    config = RecBoleConfig("NoWarmUp", "tiny", config_dict={**settings, "base": "DCN"})
    assert (config["model"], config["base"]) == ("NoWarmUp", "DCN")
    same = Config("DCN", "tiny", config_dict=settings).final_config_dict
    unlike = {n for n in same if same[n] != config[n]}
    assert unlike == {"model"}
