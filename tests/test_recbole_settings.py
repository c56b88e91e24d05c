"""RecBole's settings do here what they do there, seen by their effect."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from recbole.config import Config as RecBoleConfig
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from recbole_mwuf.cli import main
from recbole_mwuf.compat import older_libraries
from recbole_mwuf.config import Config
from recbole_mwuf.trainer.loop import TrainingLoop
from tests.conftest import ROWS_OF_ITEM

N_OLD, N_WARM = sum(n for n in ROWS_OF_ITEM.values() if n > 20), 15


@pytest.fixture
def command(settings):
    """Runs the command line on the small data set; returns the result file's content."""

    def call(**changes):
        given = {**settings, "dataset": "tiny", "result_path": "r.json", **changes}
        arguments = [f"--{name}={value}" for name, value in given.items()]
        assert main(arguments) == 0
        return json.loads(Path("r.json").read_text())

    return call


def test_learning_rate(command):
    def auc(rate):
        phases = command(model="WideDeep", learning_rate=rate)["phases"]
        return [phase["fixed_test"]["auc"] for phase in phases.values()]

    still, moving = auc(1e-12), auc(0.1)
    assert len(set(still)) == 1  # nothing is learned in any phase
    assert len(set(moving)) == 4


@pytest.mark.parametrize("size", [16, 171])
def test_train_batch_size(command, monkeypatch, size):
    sizes = []
    step = TrainingLoop._step

    def counted(self, batch, *more):
        sizes.append(len(batch))
        return step(self, batch, *more)

    monkeypatch.setattr(TrainingLoop, "_step", counted)
    command(train_batch_size=size, base_phases=False)
    whole, rest = divmod(N_OLD, size)
    epoch = [size] * whole + [rest] * (rest > 0)
    assert sizes == [*epoch, *epoch, *[N_WARM] * 3]  # base, meta networks, three warm-up sets


def test_epochs_and_tensorboard(command):
    command(epochs=3, base_phases=False)
    scalars = {}
    for folder in Path("log_tensorboard").iterdir():
        events = EventAccumulator(str(folder))
        events.Reload()
        scalars |= {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    losses = [event.value for event in scalars["Loss/Train Pre-train"]]
    assert [event.step for event in scalars["Loss/Train Pre-train"]] == [0, 1, 2]
    assert losses[0] > losses[1] > losses[2] > 0
    assert {"Loss/Train Meta-train0", "Loss/Train Meta-train1"} <= set(scalars)


def test_wandb(command, monkeypatch):
    started, logged, summary = [], [], {}
    fake = SimpleNamespace(run=None, log=lambda values, commit: logged.append(values))

    def init(project, config):
        started.append((project, config["model"]))
        fake.run = SimpleNamespace(summary=summary)

    fake.init, fake.define_metric = init, lambda *_, **__: None
    monkeypatch.setitem(sys.modules, "wandb", fake)
    result = command(log_wandb=True, wandb_project="mine")
    assert started == [("mine", "MWUF")]
    assert {"train/epoch", "train/train_loss"} <= set(logged[0])
    for name, phases in (("MWUF", result["phases"]), ("NoWarmUp", result["base_phases"])):
        for phase, protocols in phases.items():
            for protocol, metrics in protocols.items():
                for metric, value in metrics.items():
                    assert summary[f"eval/{name}/{protocol}/{phase}/{metric}"] == value


@pytest.mark.parametrize("metrics", [["AUC"], ["LogLoss", "RMSE", "GAUC"]])
def test_metrics(command, metrics):
    result = command(metrics=metrics)
    for phase in (*result["phases"].values(), *result["base_phases"].values()):
        assert [list(values) for values in phase.values()] == [[m.lower() for m in metrics]] * 2


def test_metric_decimal_place(command):
    value = command(metrics="AUC", metric_decimal_place=2)["phases"]["cold"]["fixed_test"]["auc"]
    assert round(value, 2) == value


def test_checkpoint_dir(command):
    command(checkpoint_dir="elsewhere/deeper")
    kinds = {torch.load(f, weights_only=True)["kind"] for f in Path("elsewhere/deeper").iterdir()}
    assert kinds == {"base", "warm_up"}
    assert not Path("saved").exists()


def test_show_progress(command, capfd):
    command(show_progress=False)
    assert "sample/s" not in capfd.readouterr().err
    command(show_progress=True)
    shown = capfd.readouterr().err
    assert all(stage in shown for stage in ("Pre-train 0", "Meta-train 0", "warm_a 0"))


def test_seed(command):
    phases = [command(seed=seed)["phases"] for seed in (1, 1, 2)]
    assert phases[0] == phases[1] != phases[2]


@pytest.mark.parametrize("given", [{}, {"gpu_id": ""}, {"device": "cpu"}, {"device": "nowhere"}])
def test_device_is_what_recbole_makes_of_it(given):
    with older_libraries():
        theirs = RecBoleConfig("WideDeep", "ml-100k", config_dict={**given})
    ours = Config("WideDeep", dataset="ml-100k", config_dict={**given})
    assert ours["device"] == theirs["device"]
