"""RecBole's functions on checkpoints: this package's, and RecBole's own on torch >= 2.6."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from recbole.config import Config as RecBoleConfig
from recbole.data import create_dataset, data_preparation
from recbole.trainer import Trainer
from recbole.utils import ModelType, get_model, get_trainer, init_seed

import recbole_mwuf
from recbole_mwuf.compat import older_libraries
from recbole_mwuf.data import ColdStartDataset, SetLoader
from recbole_mwuf.errors import UserError
from recbole_mwuf.integration.checkpoints import read_for_recbole
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import get_method
from recbole_mwuf.trainer import score

pytestmark = pytest.mark.usefixtures("registered")


def the_file(pattern="*.pth"):
    (file,) = Path("saved").glob(pattern)
    return str(file)


# this package's


@pytest.mark.parametrize(
    ("model", "base"),
    [
        *(("MWUF", "WideDeep"), ("MWUF", "DIN"), ("MetaEmb", "FM"), ("DropoutNet", "DCN")),
        *(("MeLU", "WideDeep"), ("WideDeep", None), ("AFN", None)),
    ],
)
def test_load_data_and_model_of_our_run(quick_start, settings, model, base):
    result = run(model, base, "tiny", config_dict={**settings, "base_phases": False})
    six = quick_start.load_data_and_model(result.checkpoint)
    config, loaded, dataset, *loaders = six
    assert isinstance(config, RecBoleConfig)
    assert (config["base"], config["dataset"]) == (base or model, "tiny")
    assert type(loaded) is get_method(model)
    assert type(dataset) is ColdStartDataset
    assert [len(loader.dataset) for loader in loaders] == [171, 45, 30]
    # it scores as ours, by RecBole's Trainer and row by row
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, loaded)
    after = result.phases["warm_c"]
    assert dict(trainer.evaluate(loaders[2], load_best_model=False)) == after["next_phase"]
    by_recbole = torch.cat([loaded.predict(batch) for batch, *_ in loaders[2]])
    ours = score(loaded, SetLoader(dataset, "test", 30, "warm_c"))
    assert torch.allclose(by_recbole, ours, atol=1e-6)


@pytest.mark.parametrize("saved", [True, False])
def test_what_run_recbole_saves(quick_start, settings, saved):
    result = quick_start.run_recbole("MWUF", "tiny", config_dict=dict(settings), saved=saved)
    assert len(list(Path("saved").glob("*"))) == saved
    if not saved:
        return
    config, model, dataset, *_, test_data = quick_start.load_data_and_model(the_file("MWUF-*.pth"))
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    last = {n: v for n, v in result["test_result"].items() if n.endswith("@warm_c")}
    for load_best in (True, False):
        given = {"load_best_model": load_best, "model_file": the_file()}
        scores = trainer.evaluate(test_data, **given)
        assert {f"{name}@warm_c": value for name, value in scores.items()} == last
    # and it goes on online, as what our own run writes
    warmer = ItemWarmer.load(the_file())
    tokens = dataset.field2id_token["item_id"][~dataset.is_old]
    assert warmer.new_items() == list(tokens[1:])


def test_evaluate_tells_the_phases_and_scores_other_loaders(settings):
    """Code that is written against RecBole's functions, without the quick start."""
    config = RecBoleConfig("MWUF", "tiny", config_dict={**settings, "base": "DIN"})
    loaders = data_preparation(config, create_dataset(config))
    model = get_model("MWUF")(config, loaders[0].dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], "MWUF")(config, model)
    seen = []
    trainer.fit(loaders[0], loaders[1], saved=False, callback_fn=lambda *call: seen.append(call))
    assert seen == [(0, trainer.best_valid_score)]
    phases = trainer.evaluate(loaders[2], load_best_model=False)
    assert trainer.evaluate(loaders[2], load_best_model=False) == phases
    assert len(phases) == 8
    # the warm-up sets as training on them sees them, by the model that has learned from them
    scores = trainer.evaluate(loaders[1], load_best_model=False)
    assert set(scores) == {"auc", "logloss"}
    batches = [batch for batch, *_ in loaders[1]]
    losses = [torch.nn.BCELoss()(model.predict(b), b["label"]) * len(b) for b in batches]
    assert scores["logloss"] == pytest.approx(float(sum(losses)) / 45, abs=1e-5)
    with pytest.raises(UserError, match="the phases of a run are not resumed"):
        trainer.resume_checkpoint("a.pth")


def test_a_base_checkpoint_is_no_model(quick_start, settings):
    run("MWUF", "WideDeep", "tiny", config_dict={**settings, "base_phases": False})
    with pytest.raises(UserError, match="holds a base model, not a warm_up model"):
        quick_start.load_data_and_model(the_file("*-base-*"))


def test_a_checkpoint_names_no_data_set_to_unpickle(settings):
    """RecBole unpickles a saved data set that it finds where the config says."""
    given = {**settings, "dataset_save_path": "evil.pth", "checkpoint_dir": "elsewhere"}
    result = run("MWUF", "WideDeep", "tiny", config_dict=given)
    config = read_for_recbole(result.checkpoint)["config"]
    assert config["dataset_save_path"] is None
    assert config["checkpoint_dir"] == "elsewhere"
    moved = Path(result.checkpoint).rename("moved.pth")
    assert read_for_recbole(moved)["config"]["checkpoint_dir"] == "."


# RecBole's own


@pytest.fixture
def trained_by_recbole(settings):
    """Trains a model of RecBole in its own world: (config, loaders, trainer, result)."""

    def train(model, **changes):
        given = {n: settings[n] for n in ("data_path", "show_progress", "state", "load_col")}
        with older_libraries():
            config = RecBoleConfig(model, "tiny", config_dict={**given, "epochs": 2, **changes})
            init_seed(config["seed"], config["reproducibility"])
            loaders = data_preparation(config, create_dataset(config))
        module = get_model(model)(config, loaders[0].dataset).to(config["device"])
        trainer = get_trainer(config["MODEL_TYPE"], model)(config, module)
        trainer.fit(*loaders[:2], verbose=False)
        return config, loaders, trainer

    return train


GENERAL = {"load_col": {"inter": ["user_id", "item_id", "timestamp"]}}


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        *(("WideDeep", {}), ("AFN", {}), ("BPR", GENERAL), ("LightGCN", GENERAL)),
        *(("NGCF", GENERAL), ("EASE", GENERAL), ("ItemKNN", GENERAL)),
        ("SASRec", {**GENERAL, "train_neg_sample_args": None}),
    ],
)
def test_recboles_own_checkpoints(quick_start, trained_by_recbole, model, changes):
    config, loaders, trainer = trained_by_recbole(model, **changes)
    best = dict(trainer.evaluate(loaders[2]))  # load_best_model
    loaded, module, *_, test_data = quick_start.load_data_and_model(the_file())
    assert type(loaded) is RecBoleConfig
    unlike = {n for n, v in config.final_config_dict.items() if loaded[n] != v}
    assert unlike == set()
    assert type(module) is type(trainer.model)
    again = get_trainer(loaded["MODEL_TYPE"], model)(loaded, module)
    assert dict(again.evaluate(test_data, load_best_model=False)) == best
    again.resume_checkpoint(the_file())
    assert again.start_epoch in (1, 2)
    assert again.best_valid_score == trainer.best_valid_score
    for theirs, ours in zip(trainer.model.parameters(), module.parameters()):
        assert torch.equal(theirs, ours)


def test_a_base_that_recbole_trained_is_warmed_up(trained_by_recbole, settings):
    _, _, trainer = trained_by_recbole("AFN")
    given = {**settings, "pretrained_base": trainer.saved_model_file}
    result = run("MWUF", "AFN", "tiny", config_dict=given, saved=False)
    assert result.timing["pretrain_s"] == 0
    assert result.phases != run("MWUF", "AFN", "tiny", config_dict=settings, saved=False).phases


def test_a_module_among_the_other_parameters(quick_start, trained_by_recbole):
    """DIN pickles its embedding layer, with the data set in it, beside the same parameters."""
    trained_by_recbole("DIN", epochs=1)
    _, module, *_ = quick_start.load_data_and_model(the_file())
    theirs = torch.load(the_file(), weights_only=False)["other_parameter"]["embedding_layer"]
    for name, value in module.embedding_layer.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name])
    assert len(module.embedding_layer.state_dict()) > 0


def test_nothing_in_a_checkpoint_of_recbole_is_executed(quick_start, trained_by_recbole):
    trained_by_recbole("WideDeep", epochs=1)
    content = torch.load(the_file(), weights_only=False)
    content["config"].final_config_dict["zz"] = "__import__('os').mkdir('attacked')"
    torch.save(content, "strings.pth", pickle_protocol=4)
    quick_start.load_data_and_model("strings.pth")

    class Attack:
        def __reduce__(self):
            return os.mkdir, ("attacked",)

    for where in ("config", "optimizer", "other_parameter", "anything"):
        torch.save({**content, where: Attack()}, "evil.pth", pickle_protocol=4)
        with pytest.raises(UserError, match=r"'evil\.pth' is not a readable checkpoint"):
            quick_start.load_data_and_model("evil.pth")
    content["config"].final_config_dict.update(
        model="KD_DAGFM", teacher="__import__('os').mkdir('attacked') or CrossNet"
    )
    torch.save(content, "evil.pth", pickle_protocol=4)
    with pytest.raises(UserError, match="teacher is "):
        quick_start.load_data_and_model("evil.pth")
    assert not Path("attacked").exists()


def test_a_missing_and_a_broken_file(quick_start):
    with pytest.raises(FileNotFoundError):
        quick_start.load_data_and_model("none.pth")
    Path("broken.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"'broken\.pth' is not a readable checkpoint"):
        quick_start.load_data_and_model("broken.pth")


def test_others_load_as_before():
    """torch.load is another one for RecBole's callers only."""
    torch.save({"enum": ModelType.CONTEXT}, "a.pth")
    with pytest.raises(pickle.UnpicklingError):
        torch.load("a.pth")
    assert torch.load("a.pth", weights_only=False) == {"enum": ModelType.CONTEXT}


EARLY = """
import sys
from recbole.config import Config
from recbole.quick_start import load_data_and_model, run_recbole
from recbole.trainer import Trainer
import recbole_mwuf
recbole_mwuf.register()
settings = {settings!r}
result = run_recbole("MWUF", "tiny", config_dict=settings)
import glob
(file,) = glob.glob("saved/MWUF*.pth")
assert type(Config("MWUF", "tiny", config_dict=settings)).__name__ == "MethodConfig"
assert len(load_data_and_model(file)) == 6
"""


def test_what_was_imported_before_the_call(quick_start, settings):
    Path("early.py").write_text(EARLY.format(settings=settings))
    command = [sys.executable, "-W", "ignore", "early.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_register_recbole_is_as_it_was(trained_by_recbole):
    """What compat mends stays broken before register() and after unregister()."""
    _, loaders, trainer = trained_by_recbole("WideDeep", epochs=1)
    recbole_mwuf.unregister()
    with pytest.raises(pickle.UnpicklingError):
        Trainer.evaluate(trainer, loaders[2])
    with pytest.raises(AttributeError, match="_update"):
        trained_by_recbole("LightGCN", **GENERAL)
