"""A method and a base from a package that is only installed: found by name in every process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.guests import PACKAGE, environment


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Where pip has installed the package, from a copy of its sources."""
    source = tmp_path_factory.mktemp("guest") / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "conftest.py"))
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "-q", "."]
    subprocess.run(command, cwd=source, env=environment(target), check=True, capture_output=True)
    return target


class Command:
    """Runs recbole-mwuf in a process of its own; returns its exit status and what it printed."""

    def __init__(self, site: Path, settings: dict):
        self.site = site
        self.settings = [f"--{name}={value}" for name, value in settings.items()]

    def __call__(self, *arguments: str, site: Path | None = None) -> tuple[int, str]:
        done = subprocess.run(
            ["recbole-mwuf", *arguments],
            env=environment(site or self.site),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return done.returncode, done.stdout + done.stderr

    def run(self, *more: str) -> tuple[int, str]:
        return self("run", *self.settings, "--dataset=tiny", *more)

    def tune(self, *more: str) -> tuple[int, str]:
        return self("tune", *self.settings, "--dataset=tiny", *more)

    def experiment(self, *more: str) -> tuple[int, str]:
        return self("experiment", *self.settings, "--dataset", "tiny", *more)


@pytest.fixture
def command(site, settings) -> Command:
    return Command(site, settings)


def phases(file: str) -> dict:
    content = json.loads(Path(file).read_text(encoding="utf-8"))
    assert (content["model"], content["base"]) == ("KNearest", "GatedMLP")
    return content["phases"]


@pytest.mark.slow
def test_found_by_name_also_in_several_processes(command):
    """The same figures from one process, from two, and from the workers of an experiment."""
    names = ["--model=KNearest", "--base=GatedMLP", "--k_nearest=3", "--gate_size=4"]
    for n in (1, 2):
        status, output = command.run(*names, f"--nproc={n}", f"--result_path=of_{n}.json")
        assert status == 0 and "KNearest(GatedMLP)" in output, output
    given = [*names[2:], "--models", "KNearest", "--bases", "GatedMLP", "--output", "grid"]
    status, output = command.experiment(*given, "--workers", "2")
    assert status == 0, output
    (file,) = Path("grid/runs").glob("KNearest-GatedMLP-*.json")
    assert phases(str(file)) == phases("of_1.json")
    assert r"\*: a KNearest row" in Path("grid/report.md").read_text(encoding="utf-8")
    for phase, protocols in phases("of_1.json").items():
        for protocol, metrics in protocols.items():
            assert phases("of_2.json")[phase][protocol] == pytest.approx(metrics, abs=1e-4)


@pytest.mark.slow
def test_tuned_saved_and_served(command, tmp_path):
    Path("k.hyper").write_text("k_nearest choice [1,2]\n", encoding="utf-8")
    names = ["--model=KNearest", "--base=GatedMLP", "--validation_items=0.6"]
    search = ["--params_file=k.hyper", "--algo=exhaustive", "--output_file=best.yaml"]
    status, output = command.tune(*names, *search)
    assert status == 0 and "k_nearest=1" in output and "k_nearest=2" in output, output
    status, output = command.run("--config_files=best.yaml")
    assert status == 0 and "KNearest(GatedMLP)" in output, output
    (checkpoint,) = Path("saved").glob("KNearest-GatedMLP-tiny-*.pth")
    pd.DataFrame({"user_id": [1, 2], "item_id": [5, 1]}).to_csv("pairs.csv", index=False)
    score = ["score", "--checkpoint", str(checkpoint), "--pairs", "pairs.csv"]
    status, output = command(*score, "--output", "scores.csv")
    assert status == 0, output
    assert pd.read_csv("scores.csv")["score"].between(0, 1).all()
    # without the package: an error that names the model, and no file
    status, output = command(*score, "--output", "without.csv", site=tmp_path)
    assert status == 2 and "there is no model 'GatedMLP'" in output, output
    assert not Path("without.csv").exists()


@pytest.mark.slow
def test_mistakes_are_told(command):
    status, output = command.run("--model=KNearst", "--base=GatedMLP")
    assert status == 2 and "no model 'KNearst'. Did you mean KNearest" in output, output
    status, output = command.run("--model=KNearest", "--k_nearest=0")
    assert status == 2 and "k_nearest is 0, but must be int >= 1" in output, output
    status, output = command.run("--model=KNearest", "--k_neraest=2")
    assert status == 2 and "no setting 'k_neraest'. Did you mean 'k_nearest'" in output, output
