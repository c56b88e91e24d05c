"""The tuner: its search, what its trials share, and what it leaves alone."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from recbole_mwuf.cli import run_command
from recbole_mwuf.config import Config, with_tuning_defaults
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.experiment import tuner as tuning
from recbole_mwuf.experiment.space import read_space, space_of
from recbole_mwuf.experiment.trial import objective_function
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import known_bases, warm_up_methods
from recbole_mwuf.settings import properties_dir
from tests.conftest import tiny_interactions, write_tiny

SHARE = 0.6  # three of the small data set's five new items
SIX = "warm_up_learning_rate choice [0.001,0.03,0.3]\nwarm_up_epochs choice [1,2]\n"


@pytest.fixture
def command(settings):
    """Runs the tuner on the small data set; returns its exit status."""
    Path("six.hyper").write_text(SIX)

    def call(**changes):
        given = {**settings, "dataset": "tiny", "validation_items": SHARE, **changes}
        given.setdefault("params_file", "six.hyper")
        arguments = [f"--{name}={value}" for name, value in given.items()]
        return run_command("tune", arguments, "run_hyper.py")

    return call


@pytest.fixture
def search(monkeypatch):
    """Searches with a function of the settings in place of runs; returns the tuner."""

    def call(function, text, bigger=True, **changes):
        config = Config(config_file_list=with_tuning_defaults([]), config_dict=changes)

        def objective(params, _files):
            return {"best_valid_score": function(**params), "valid_score_bigger": bigger}

        space = read_space(text, "space.hyper")
        tuner = tuning.Tuner(objective, space, config, [], lambda trial: None)
        tuner.run()
        return tuner

    return call


def read_table(name):
    with Path(name).open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("algo", ["exhaustive", "bayes", "random"])
def test_six_trials(command, capsys, algo):
    for name in ("first", "second"):
        assert command(algo=algo, max_evals=6, output_file=f"{name}.yaml") == 0
        lines = capsys.readouterr().out.splitlines()
        scores = [float(line.split()[0]) for line in lines[:7]]
        assert lines[7] == "best:"
        assert float(lines[8].split()[0]) == max(scores) >= scores[0]
    assert Path("first.csv").read_text() == Path("second.csv").read_text()
    rows = read_table("first.csv")
    assert [float(row["score"]) for row in rows] == pytest.approx(scores, abs=1e-6)
    assert rows[0]["warm_up_epochs"] == ""  # the default configuration
    points = [(r["warm_up_learning_rate"], r["warm_up_epochs"]) for r in rows[1:]]
    if algo == "exhaustive":
        assert points == list(itertools.product(["0.001", "0.03", "0.3"], "12"))


def test_best_configuration_is_a_settings_file(command, settings):
    assert command(algo="exhaustive", embedding_size=8, output_file="best.yaml") == 0
    rows = read_table("best.csv")
    best = max(rows, key=lambda row: float(row["score"]))
    config = Config(config_file_list=["best.yaml"])
    assert (config["model"], config["base"], config["dataset"]) == ("MWUF", "WideDeep", "tiny")
    assert config["embedding_size"] == 8
    assert str(config["warm_up_learning_rate"]) == best["warm_up_learning_rate"]
    assert str(config["warm_up_epochs"]) == best["warm_up_epochs"]
    assert (config["validation_items"], config["score_validation"]) == (SHARE, False)
    assert "algo" not in config and "output_file" not in config
    tuned = ColdStartDataset(Config(config_file_list=["best.yaml"], config_dict=settings)).split
    assert tuned.is_validation.sum() == 3 and tuned.is_new.sum() == 2


def test_score_is_the_mean_over_the_phases(settings):
    given = {**settings, "dataset": "tiny", "validation_items": SHARE}
    result = run(config_dict={**given, "score_validation": True}, saved=False)
    phases = [result.phases[p]["next_phase"] for p in ("warm_a", "warm_b", "warm_c")]
    found = objective_function(given)
    assert found["best_valid_score"] == pytest.approx(np.mean([p["auc"] for p in phases]))
    assert found["valid_score_bigger"]
    other = {"tune_metric": "LogLoss", "tune_phases": ["cold"], "tune_protocol": "fixed_test"}
    found = objective_function({**given, **other})
    assert found["best_valid_score"] == result.phases["cold"]["fixed_test"]["logloss"]
    assert not found["valid_score_bigger"]


def test_reported_items_take_no_part(settings, tmp_path):
    """Other labels of reported items: the same scores. Of tuned items: others."""
    settings = {**settings, "validation_items": SHARE}
    config = Config("MWUF", "tiny", with_tuning_defaults([]), settings, base="WideDeep")
    data = ColdStartDataset(config)
    tuned = data.field2id_token["item_id"][data.split.is_new].astype(int)
    known = data.field2id_token["item_id"][data.split.is_old].astype(int)

    def score(flipped):
        frame = tiny_interactions()
        rows = flipped(frame["item_id:token"])
        frame.loc[rows, "label:float"] = 1 - frame.loc[rows, "label:float"]
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        write_tiny(folder, frame)
        given = {**settings, "dataset": "tiny", "data_path": str(folder)}
        return objective_function(given)["best_valid_score"]

    nothing = score(lambda items: pd.Series(False, items.index))
    assert score(lambda items: ~items.isin([*tuned, *known])) == nothing
    assert score(lambda items: items.isin(tuned)) != nothing


def test_trials_share_data_and_base(settings, tmp_path, monkeypatch):
    loaded, load = [], ColdStartDataset.__init__

    def counted(dataset, config):
        loaded.append(config["phase_size"])
        load(dataset, config)

    monkeypatch.setattr(ColdStartDataset, "__init__", counted)
    bench = tuning.Bench(tmp_path, [])
    given = {**settings, "dataset": "tiny", "validation_items": SHARE}
    fresh = bench(given)
    others = ({"warm_up_learning_rate": 0.3}, {"meta_epochs": 2}, {})
    reused = [bench({**given, **other}) for other in others]
    assert reused[-1] == fresh  # data and base of another trial change nothing
    assert reused[0]["best_valid_score"] != fresh["best_valid_score"]
    assert (loaded, len(list(tmp_path.glob("*.pth")))) == ([3], 1)
    bench({**given, "learning_rate": 0.01})
    assert (loaded, len(list(tmp_path.glob("*.pth")))) == ([3], 2)
    bench({**given, "phase_size": 2})
    assert loaded == [3, 2]


def test_default_stays_unless_another_is_better(search):
    tuner = search(lambda x=0: 0.0 if x == 0 else -x, "x choice [1,2]", algo="exhaustive")
    assert [trial.score for trial in tuner.trials] == [0, -1, -2]
    assert tuner.best == tuner.trials[0]  # RecBole takes a best score of 0 for none yet
    tuner = search(lambda x=9: x, "x choice [5,4,7]", bigger=False, algo="exhaustive")
    assert tuner.best.params == {"x": 4}


def test_bayes_learns_where_random_does_not(search):
    def best(algo, seed):
        changes = {"algo": algo, "seed": seed, "max_evals": 40, "early_stop": 40}
        return search(lambda x=9.0: -abs(x - 2), "x uniform -10,10", **changes).best.score

    seeds = range(5)
    assert np.mean([best("bayes", s) for s in seeds]) > np.mean([best("random", s) for s in seeds])
    assert best("bayes", 1) == best("bayes", 1) != best("bayes", 2)


def test_kinds_of_values(search):
    text = "# a comment\n\na choice [[8,4],[2]]\nb quniform 1,9,2\nc quniform 0,1,.5\n"
    text += "d loguniform -3,0\ne choice [None,True,'x']\n"
    tuner = search(lambda **params: 0, text, algo="random", max_evals=20, early_stop=99)
    for params in (trial.params for trial in tuner.trials[1:]):
        assert params["a"] in ([8, 4], [2])
        assert isinstance(params["b"], int) and 0 <= params["b"] <= 10
        assert params["c"] in (0.0, 0.5, 1.0)
        assert np.exp(-3) <= params["d"] <= 1
        assert params["e"] in (None, True, "x")


def test_ends_without_progress(search):
    tuner = search(lambda x=0: 0, "x uniform 0,1", algo="random", early_stop=3)
    assert len(tuner.trials) < 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params_file": "none.hyper"}, "cannot read 'none.hyper'"),
        ({"space": ""}, "names no setting"),
        ({"space": "x choice"}, "line 1: 'x choice' is not 'name choice|uniform"),
        ({"space": "x gauss 0,1"}, "is not 'name choice|uniform"),
        ({"space": "x uniform 1"}, "'1' are no values for uniform"),
        ({"space": "x choice __import__('os').mkdir('attacked')"}, "are no values for choice"),
        ({"space": "x uniform 0,1", "algo": "exhaustive"}, "x may take any in a range"),
        ({"algo": "grid"}, "algo is 'grid'"),
        ({"warm_up_epochs": 2}, "warm_up_epochs: given on the command line and searched"),
        ({"tune_metric": "recall"}, "there is no 'recall' in a result"),
        ({"tune_phases": "['warm']"}, "there is no 'warm' in a result"),
        ({"tune_metrics": "AUC"}, "Did you mean 'tune_metric'"),
        ({"validation_items": 0}, "score_validation needs validation_items"),
    ],
)
def test_bad_input(command, capsys, changes, message):
    if "space" in changes:
        Path("space.hyper").write_text(changes.pop("space"))
        changes["params_file"] = "space.hyper"
    assert command(**changes, output_file="best.yaml") == 2
    assert message in capsys.readouterr().err
    assert not Path("best.yaml").exists() and not Path("attacked").exists()


def test_every_model_has_a_space_of_its_own_settings():
    for model in (*warm_up_methods(), "WideDeep"):
        config = Config(model, "ml-100k", with_tuning_defaults([]), base="WideDeep")
        space = space_of(config)
        assert set(space) <= set(config.final_config_dict)
    names = {file.stem for file in (properties_dir() / "hyper").iterdir()}
    assert names <= {*warm_up_methods(), *known_bases(), "base", "rows"}


def test_tuning_settings_are_no_part_of_other_runs():
    assert not set(yaml.safe_load((properties_dir() / "overall.yaml").read_text())) & {"algo"}
    assert not any(name.startswith("tune_") for name in Config().final_config_dict)
