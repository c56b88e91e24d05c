"""RecBole's quick start, tuner and significance test on this package's models."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import torch
import yaml
from recbole.trainer import HyperTuning
from scipy import stats

from recbole_mwuf import registry
from recbole_mwuf.data import PHASES, ColdStartDataset
from recbole_mwuf.model.warm_up.mwuf import MWUF
from recbole_mwuf.quick_start import run

pytestmark = pytest.mark.usefixtures("registered")


def flat(phases):
    """Our result in the form of RecBole's ``test_result``."""
    return {
        f"{metric}@{phase}": value
        for phase in PHASES
        for metric, value in phases[phase]["next_phase"].items()
    }


def ours(model, base, settings, dataset="tiny"):
    given = {**settings, "base_phases": False}
    return flat(run(model, base, dataset, config_dict=given, saved=False).phases)


@pytest.mark.parametrize(
    ("model", "base"),
    [
        *((model, "WideDeep") for model in ("MWUF", "MetaEmb", "DropoutNet", "MeLU")),
        *((model, "DIN") for model in ("MWUF", "DropoutNet", "MeLU")),
        *(("MWUF", "AFN"), ("MWUF", "DCN")),
    ],
)
def test_the_figures_are_those_of_our_own_run(quick_start, settings, model, base):
    given = {**settings, "base": base}
    result = quick_start.run_recbole(model=model, dataset="tiny", config_dict=given, saved=False)
    expected = ours(model, base, settings)
    assert list(result["test_result"]) == list(expected)
    assert result["test_result"] == pytest.approx(expected, abs=1e-6)
    assert not list(Path("saved").glob("*"))
    # without held-out items, what may be seen before the test set
    known = {name: value for name, value in expected.items() if "warm_c" not in name}
    assert result["best_valid_result"] == known
    scores = [value for name, value in known.items() if name.startswith("auc")]
    assert result["best_valid_score"] == pytest.approx(sum(scores) / 3)
    assert result["valid_score_bigger"] is True


def test_seed_and_settings_reach_the_run(quick_start, settings):
    for changes in ({"seed": 7}, {"mwuf_variant": "init"}, {"epochs": 3, "learning_rate": 0.01}):
        given = {**settings, **changes}
        result = quick_start.run_recbole("MWUF", "tiny", config_dict=dict(given), saved=False)
        assert result["test_result"] == ours("MWUF", None, given)


@pytest.mark.parametrize("model", ["MWUF", "DropoutNet", "MeLU"])
def test_held_out_items_validate(quick_start, settings, model):
    given = {**settings, "validation_items": 0.4, "eval_step": 1, "epochs": 2}
    result = quick_start.run_recbole(model, "tiny", config_dict=dict(given), saved=False)
    assert result["test_result"] == ours(model, None, given)
    assert set(result["best_valid_result"]) == {"auc", "logloss"}
    assert result["best_valid_score"] == result["best_valid_result"]["auc"]


def test_the_plain_base_goes_through_the_phases(quick_start, settings):
    given = {**settings, "base": "DCN"}
    result = quick_start.run_recbole("NoWarmUp", "tiny", config_dict=given, saved=False)
    assert result["test_result"] == ours("DCN", None, settings)


def test_a_base_that_was_trained_before(quick_start, settings):
    first = run("MWUF", "WideDeep", "tiny", config_dict={**settings, "epochs": 2})
    (base,) = Path("saved").glob("*-base-*")
    given = {**settings, "epochs": 2, "pretrained_base": str(base)}
    result = quick_start.run_recbole("MWUF", "tiny", config_dict=given, saved=False)
    assert result["test_result"] == flat(first.phases)


def test_guests(quick_start, settings, guests):
    @registry.register_method
    class Halved(MWUF):
        """Starts new items from half the old items' mean."""

        settings = {**registry.settings_of("MWUF")}

        def start(self, items):
            mean = super().start(items)
            return mean._replace(embedding=mean.embedding / 2)

    result = quick_start.run_recbole("Halved", "tiny", config_dict=dict(settings), saved=False)
    assert result["test_result"] == ours("Halved", None, settings)
    assert result["test_result"] != ours("MWUF", None, settings)


def test_settings_on_the_scripts_command_line(quick_start, settings, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script.py", "--learning_rate=0.1", "--base=DCN"])
    result = quick_start.run_recbole("MWUF", "tiny", config_dict=dict(settings), saved=False)
    monkeypatch.setattr(sys, "argv", ["script.py"])
    assert result["test_result"] == ours("MWUF", "DCN", {**settings, "learning_rate": 0.1})


def test_a_saved_data_set_serves_only_the_same_split(quick_start, settings):
    given = {**settings, "save_dataset": True}
    first = quick_start.run_recbole("MWUF", "tiny", config_dict=dict(given), saved=False)
    assert [file.name for file in Path("saved").iterdir()] == ["tiny-ColdStartDataset.pth"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ColdStartDataset, "__init__", None)  # it is not loaded again
        again = quick_start.run_recbole("MWUF", "tiny", config_dict=dict(given), saved=False)
    assert again == first
    other = {**settings, "phase_size": 2}
    result = quick_start.run_recbole("MWUF", "tiny", config_dict=dict(other), saved=False)
    assert result["test_result"] == ours("MWUF", None, other)


# the tuner


@pytest.mark.parametrize("algo", ["exhaustive", "random", "bayes"])
def test_hyper_tuning(quick_start, settings, algo):
    Path("fixed.yaml").write_text(
        yaml.safe_dump({**settings, "model": "MWUF", "dataset": "tiny", "validation_items": 0.4})
    )
    tuner = HyperTuning(
        quick_start.objective_function,
        params_dict={"choice": {"mwuf_variant": ["full", "init"], "learning_rate": [0.001, 0.1]}},
        fixed_config_file_list=["fixed.yaml"],
        algo=algo,
        max_evals=3,
    )
    tuner.run()
    tuner.export_result("hyper.result")
    n_trials = 4 if algo == "exhaustive" else 3
    assert len(tuner.score_list) == n_trials
    scores = {params: r["best_valid_score"] for params, r in tuner.params2result.items()}
    assert scores[tuner.params2str(tuner.best_params)] == tuner.best_score == max(scores.values())
    if algo == "exhaustive":
        assert len(scores) == 4  # every configuration once
        assert len(set(scores.values())) > 1
    given = {**settings, "validation_items": 0.4, **tuner.best_params}
    best = tuner.params2result[tuner.params2str(tuner.best_params)]
    assert best["test_result"] == ours("MWUF", None, given)
    assert "auc@warm_c : " in Path("hyper.result").read_text()


# significance_test.py of RecBole's repository: run() for two models over seeds, then a t-test


def test_significance(quick_start, settings):
    files = {}
    for model in ("MWUF", "NoWarmUp"):
        files[model] = f"{model}.yaml"
        Path(files[model]).write_text(yaml.safe_dump(settings))
    results = {}
    for model in files:
        results[model] = defaultdict(list)
        for seed in (2**32 - 1, 5, 6):
            result = quick_start.run(
                *(model, "tiny", [files[model]]), config_dict={"seed": seed}, nproc=1, world_size=-1
            )
            for name, value in result["test_result"].items():
                results[model][name].append(value)
    assert list(results["MWUF"]) == list(results["NoWarmUp"]) == list(flat_names())
    tests = {
        name: stats.ttest_rel(values, results["NoWarmUp"][name], alternative="less")
        for name, values in results["MWUF"].items()
    }
    assert all(0 <= test.pvalue <= 1 for test in tests.values())
    assert results["MWUF"]["auc@cold"][1] == ours("MWUF", None, {**settings, "seed": 5})["auc@cold"]


def flat_names():
    return [f"{metric}@{phase}" for phase in PHASES for metric in ("auc", "logloss")]


# several processes


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return str(probe.getsockname()[1])


GUEST = """
from recbole_mwuf import register_method
from recbole_mwuf.model.warm_up.mwuf import MWUF
from recbole_mwuf.registry import settings_of

@register_method
class Guest(MWUF):
    settings = settings_of("MWUF")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo over TCP")
def test_several_processes(quick_start, settings):
    """run_recboles in two processes that RecBole spawns: they know our names and the guest's."""
    Path("a_guest.py").write_text(GUEST)
    Path("script.py").write_text(
        "import json, sys, a_guest, recbole_mwuf\n"
        "from recbole.quick_start import run\n"
        "if __name__ == '__main__':\n"
        "    recbole_mwuf.register()\n"
        f"    settings = {settings!r}\n"
        f"    result = run('Guest', 'tiny', None, settings, nproc=2, port='{free_port()}')\n"
        "    json.dump(result, open('result.json', 'w'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "script.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = yaml.safe_load(Path("result.json").read_text())["test_result"]
    assert result == pytest.approx(ours("MWUF", None, {**settings, "nproc": 2}), abs=1e-6)
    (file,) = Path("saved").glob("*.pth")
    assert torch.load(file, weights_only=True)["model"] == "Guest"
    assert "destroy_process_group" not in done.stderr


# whole runs on real data, with the defaults applied by themselves


@pytest.mark.slow
def test_run_recbole_on_ml_100k(quick_start):
    quiet = {"show_progress": False, "state": "ERROR"}
    result = quick_start.run_recbole(model="MWUF", dataset="ml-100k", config_dict=dict(quiet))
    expected = ours("MWUF", "WideDeep", quiet, "ml-100k")
    assert result["test_result"] == pytest.approx(expected, abs=1e-6)
    assert 0.73 < result["test_result"]["auc@warm_c"] < 0.76
    (file,) = Path("saved").glob("MWUF-*.pth")
    config, model, *_ = quick_start.load_data_and_model(str(file))
    assert (config["base"], type(model)) == ("WideDeep", MWUF)


@pytest.mark.slow
def test_afn_in_recboles_world(quick_start):
    given = {"show_progress": False, "state": "ERROR", "epochs": 3}
    result = quick_start.run_recbole(model="AFN", dataset="ml-100k", config_dict=given)
    assert set(result["test_result"]) == {"auc", "logloss"}
    assert 0.74 < result["test_result"]["auc"] < 0.79
