"""``--preset fair`` from the command line: tuned on some new items, reported on the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import recbole_mwuf.cli.experiment as experiment
from recbole_mwuf.cli import run_command
from recbole_mwuf.experiment import grid
from recbole_mwuf.experiment.grid import presets

TRIALS = 3


@pytest.fixture
def command(settings, monkeypatch):
    """A small ``fair``: the plain base and two methods on it, with as many trials for each."""
    fair = presets()["fair"]
    models = ("WideDeep", "MWUF", "KalmanWarmUp")
    rows = [
        r for r in fair["rows"] if r["model"] in models and r.get("base", "WideDeep") == "WideDeep"
    ]
    assert [row["model"] for row in rows] == list(models)
    tune = {**fair["tune"], "trials": TRIALS, "validation_items": 0.6}
    small = {**presets(), "fair": {**fair, "rows": rows, "tune": tune}}
    monkeypatch.setattr(grid, "presets", lambda: small)
    monkeypatch.setattr(experiment, "presets", lambda: small)
    Path("tiny.yaml").write_text(yaml.safe_dump(settings))
    arguments = ["--preset", "fair", "--dataset", "tiny", "--config_files", "tiny.yaml"]

    def run(*more: str) -> int:
        return run_command("experiment", [*arguments, "--output", "out", *more], "run_benchmark.py")

    return run


def load(folder: str) -> list[dict]:
    return [json.loads(file.read_text()) for file in sorted(Path("out", folder).glob("*.json"))]


@pytest.mark.slow
def test_rows_are_tuned_alike_then_reported_on_other_items(command):
    assert command("--runs", "2") == 0
    trials, runs = load("trials/runs"), load("runs")
    assert len(trials) == 3 * TRIALS and len(runs) == 3 * 2
    assert {run["seed"] for run in trials} == {2021} and {run["seed"] for run in runs} == {
        2021,
        2022,
    }
    held_out = {run["fingerprint"]["held_out"] for run in trials + runs}
    assert len(held_out) == 1  # the same items for all seeds
    assert {run["split"]["new_items"] for run in trials} == {3}  # of five
    assert {run["split"]["new_items"] for run in runs} == {2}
    assert all(run["config"]["score_validation"] for run in trials)
    assert not any(run["config"]["score_validation"] for run in runs)

    chosen = json.loads(Path("out/tuned-fair.json").read_text())
    assert list(chosen) == ["WideDeep", "MWUF(WideDeep)", "KalmanWarmUp(WideDeep)"]
    for run in runs:
        label = run["model"] if run["model"] == run["base"] else f"{run['model']}({run['base']})"
        for name, value in chosen[label]["params"].items():
            assert run["config"][name] == value
    report = Path("out/report.md").read_text()
    assert "### What tuning chose" in report and f"{TRIALS} trials in all" in report
    assert "### How the rows of new items learned" in report
    assert "no rows learn by steps" in report  # KalmanWarmUp

    before = {file: file.stat().st_mtime_ns for file in Path("out").rglob("runs/*.json")}
    assert command("--runs", "2", "--report_only") == 0
    assert Path("out/report.md").read_text() == report
    assert command("--runs", "2") == 0  # goes on where nothing is left to do
    after = {file: file.stat().st_mtime_ns for file in Path("out").rglob("runs/*.json")}
    assert after == before


def test_a_preset_that_knows_other_data_sets_fields(command, capsys):
    rows = presets()["taste"]["rows"]
    assert any("by_dataset" in row for row in rows)
    arguments = ["--preset", "taste", "--dataset", "tiny", "--config_files", "tiny.yaml"]
    assert run_command("experiment", arguments, "run_benchmark.py") == 2
    said = capsys.readouterr().err
    assert "fields are known for dataset=ml-1m, ml-100k, not for 'tiny'" in said
