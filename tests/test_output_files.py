"""Files of a run: names that tell what it was and are no other run's; what a failure leaves."""

import errno
import json
from pathlib import Path

import pytest
import torch

from recbole_mwuf import output_files
from recbole_mwuf.cli import main
from recbole_mwuf.quick_start import run
from recbole_mwuf.trainer import WarmUpTrainer

NOON = "Nov-25-2026_12-00-00"


@pytest.fixture
def at_noon(monkeypatch):
    """All runs start in the same second."""
    monkeypatch.setattr(output_files, "get_local_time", lambda: NOON)


def names() -> list[str]:
    return sorted(file.name for file in Path("saved").iterdir())


def test_runs_of_the_same_second_keep_their_results(settings, at_noon):
    for model, seed in (("MWUF", 1), ("MWUF", 2), ("MWUF", 1), ("MetaEmb", 1)):
        run(model, "FM", "tiny", config_dict={**settings, "seed": seed})
    runs = [f"MWUF-FM-tiny-seed{end}" for end in (f"1-{NOON}-2", f"1-{NOON}", f"2-{NOON}")]
    runs.append(f"MetaEmb-FM-tiny-seed1-{NOON}-3")  # else their bases had one name
    bases = [f"FM-tiny-base-seed{end}.pth" for end in (f"1-{NOON}", f"1-{NOON}-2", f"1-{NOON}-3")]
    bases.append(f"FM-tiny-base-seed2-{NOON}.pth")
    assert names() == sorted([*(f"{r}.json" for r in runs), *(f"{r}.pth" for r in runs), *bases])
    for name in runs:
        assert f"seed{json.loads(Path('saved', f'{name}.json').read_text())['seed']}-" in name


def test_a_run_that_fails_leaves_nothing_but_its_base(settings, at_noon, monkeypatch):
    def fail(*_):
        raise RuntimeError("lost")

    monkeypatch.setattr(WarmUpTrainer, "run_phases", fail)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="lost"):
            run("MWUF", "FM", "tiny", config_dict=settings)
    assert names() == [f"FM-tiny-base-seed2021-{NOON}{n}.pth" for n in ("-2", "")]


def test_a_full_disk_does_not_lose_the_result(settings, capsys, monkeypatch):
    """The result is a few kB, the model has all tables."""
    save = torch.save

    def full(content, file):
        if content["kind"] == "warm_up":
            raise OSError(errno.ENOSPC, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", full)
    arguments = {**settings, "dataset": "tiny", "base": "FM"}
    assert main([f"--{name}={value}" for name, value in arguments.items()]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("error: cannot write 'saved/MWUF-FM-tiny-seed2021-")
    assert "its disk is full" in error
    (result,) = Path("saved").glob("*.json")
    assert json.loads(result.read_text())["phases"]
    assert len(names()) == 2  # and the base


def test_a_result_tells_what_made_it(settings):
    run("MWUF", "FM", "tiny", config_dict={**settings, "result_path": "r.json"})
    result = json.loads(Path("r.json").read_text())
    assert {"recbole_mwuf", "figures", "recbole", "torch", "numpy", "pandas"} <= set(
        result["versions"]
    )
    assert set(result["fingerprint"]) == {"data", "split", "labels", "features", "held_out"}
    assert len(result["config"]["data_files"]) == 16
