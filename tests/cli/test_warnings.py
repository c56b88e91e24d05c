"""Warnings of other people's code do not reach the user; those of this package do."""

from __future__ import annotations

import sys
import warnings

import pandas as pd
import pytest
from pandas.errors import ChainedAssignmentError

from recbole_mwuf.cli import main
from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.experiment.engine import execute
from recbole_mwuf.experiment.grid import GridBuilder
from tests.cli.conftest import ROOT, finish, start

CATEGORIES = [FutureWarning, DeprecationWarning, UserWarning, ChainedAssignmentError]


@pytest.fixture
def shown(monkeypatch):
    """What Python shows in a process that hides nothing by itself, as long as the test runs."""
    monkeypatch.setattr(sys, "warnoptions", [])
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        yield caught


def texts(caught) -> list[str]:
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("category", CATEGORIES)
def test_whose_warnings_are_hidden(category, shown):
    silence_recbole()
    theirs = ["recbole.data.dataset.dataset", "torch.cuda", "pandas", "numpy.core", "recbole_mwufx"]
    ours = ["recbole_mwuf", "recbole_mwuf.data.dataset", "dataset_converters.cli", "__main__"]
    for module in [*theirs, *ours]:
        warnings.warn_explicit(module, category, "file.py", 1, module)
    assert texts(shown) == ours


def test_other_categories_are_shown(shown):
    silence_recbole()
    warnings.warn_explicit("overflow", RuntimeWarning, "file.py", 1, "recbole.model.loss")
    assert texts(shown) == ["overflow"]


def test_who_asks_for_warnings_gets_them(shown, monkeypatch):
    monkeypatch.setattr(sys, "warnoptions", ["default"])
    silence_recbole()
    warnings.warn_explicit("old", FutureWarning, "file.py", 1, "recbole.data")
    assert texts(shown) == ["old"]


@pytest.mark.parametrize("models", [["--base=WideDeep"], ["--model=MeLU", "--base=DIN"]])
def test_run(models, tiny_options, shown):
    assert main([*models, *tiny_options, "--metrics=['AUC','LogLoss','GAUC','RMSE']"]) == 0
    assert texts(shown) == []


def test_tune(tiny_options, shown):
    assert main(["tune", *tiny_options, "--max_evals=1", "--validation_items=0.6"]) == 0
    assert texts(shown) == []


def test_what_a_worker_of_an_experiment_does(settings, shown):
    builder = GridBuilder("tiny", [], settings)
    (job,) = builder.jobs([builder.own(["FM"], [None])], [1])
    assert execute(job, None, 1)["model"] == "FM"
    assert texts(shown) == []


@pytest.mark.slow
def test_an_experiment_with_its_report(tiny_options, tmp_path):
    arguments = ["--models", "MWUF", "--bases", "FM", "--runs", "2", *tiny_options]
    status, _, errors = finish(start(ROOT / "run_benchmark.py", *arguments))
    assert status == 0, errors
    assert "arning" not in errors


def test_commands_on_a_checkpoint(arrive, shown):
    pytest.importorskip("onnxscript")
    rows = arrive().interactions("warm_a")
    rows.to_csv("new.csv", index=False)
    pd.DataFrame({"item_id": ["n"], "category": ["c1"], "tags": ["t0"]}).to_csv("items.csv")
    shown.clear()  # what training has shown
    given = ["--checkpoint=model.pth", "--output"]
    learn = ["--items=items.csv", "--interactions=new.csv", "--networks"]
    assert main(["warm", *given, "e.parquet", *learn]) == 0
    assert main(["score", *given, "s.csv", "--pairs=new.csv"]) == 0
    assert main(["export", *given, "served"]) == 0
    assert texts(shown) == []
