"""Whole grids through run_benchmark.py: interrupted, failed, on several workers, on Ray."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from dataset_converters import Options, convert
from recbole_mwuf.benchmark_cli import main
from tests.conftest import TINY
from tests.dataset_converters import raw_layouts
from tests.dataset_converters.conftest import SMALL

SCRIPT = Path(__file__).parents[1] / "run_benchmark.py"


@pytest.fixture
def arguments(settings):
    """Options of a grid on the small data set, whose settings are in a file."""
    Path("tiny.yaml").write_text(yaml.safe_dump(settings))
    return ["--dataset", "tiny", "--config_files", "tiny.yaml"]


def start(*arguments, cwd=None) -> subprocess.Popen:
    """The script as a shell starts it: in a process group of its own, so that Ctrl-C hits all."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        start_new_session=True,
        # Ray would give its workers the lowest priority
        env={**os.environ, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"},
    )


def wait_for(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def runs(folder: str | Path) -> list[Path]:
    return sorted(Path(folder).glob("runs/*.json"))


def is_gone(group: int) -> bool:
    """Whether no process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def without_time(report: str) -> str:
    """A report up to where it tells how it came about."""
    return report[: report.index("## Environment")]


GRID = ["--preset", "figure3", "figure4", "--runs", "2"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, tiny_path):
    """The folder of a grid that one worker gathered in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "data_path": str(tiny_path)}))
    options = ["--dataset", "tiny", "--config_files", "tiny.yaml", "--output", "out"]
    process = start(*GRID, *options, cwd=folder)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert len(runs(folder / "out")) == 12
    return folder / "out"


def assert_same_report(folder: str, expected: Path):
    found = Path(folder)
    assert (found / "results.csv").read_bytes() == (expected / "results.csv").read_bytes()
    names = sorted(file.name for file in (expected / "figures").iterdir())
    assert names == [f"figure{i}-{p}.svg" for i in (3, 4) for p in ("fixed_test", "next_phase")]
    for name in names:
        assert (found / "figures" / name).read_bytes() == (expected / "figures" / name).read_bytes()
    ours, theirs = ((f / "report.md").read_text() for f in (found, expected))
    assert without_time(ours) == without_time(theirs)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_ended_in_the_middle_and_started_again(arguments, undisturbed, number, status):
    """SIGKILL hits the parent only, Ctrl-C the parent and its workers."""
    command = [*GRID, *arguments, "--workers", "2", "--output", "out"]
    process = start(*command)
    wait_for(lambda: len(runs("out")) >= 3)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    if number == signal.SIGINT:
        assert "Traceback" not in errors
        assert "finished runs are kept. To continue: python run_benchmark.py --preset" in errors
    wait_for(lambda: is_gone(process.pid))
    done = {file: file.stat().st_mtime_ns for file in runs("out")}
    assert 3 <= len(done) < 12
    assert not Path("out/report.md").exists()
    assert main(command) == 0
    assert {file: file.stat().st_mtime_ns for file in done} == done  # none was repeated
    assert_same_report("out", undisturbed)
    sittings = json.loads(Path("out/sittings.json").read_text())["sittings"]
    assert [s["finished"] for s in sittings] == [len(done), 12 - len(done)]


@pytest.mark.slow
def test_two_ray_workers_give_the_same_report(arguments, undisturbed):
    process = start(*GRID, *arguments, "--workers", "2", "--ray", "local", "--output", "out")
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert output.splitlines()[-1] == "out/report.html"
    assert_same_report("out", undisturbed)


@pytest.mark.slow
def test_progress_lines_and_report_without_runs(arguments, capfd):
    assert main(["--models", "MWUF", *arguments, "--workers", "2"]) == 0
    output, errors = capfd.readouterr()
    lines = [line for line in output.splitlines() if "seed" in line]
    assert [re.split(r"  +", line)[0] for line in lines] == ["WideDeep", "MWUF(WideDeep)"]
    result = json.loads(runs("results/tiny")[1].read_text())
    for phase in result["phases"].values():
        assert f"{phase['next_phase']['auc']:.4f}" in lines[0]
    assert "2/2 finished" in errors
    assert "1 running, 0 failed" in errors
    report = Path("results/tiny/report.md").read_text()
    Path("results/tiny/report.md").unlink()
    assert main(["--models", "MWUF", *arguments, "--report_only"]) == 0
    assert Path("results/tiny/report.md").read_text() == report


@pytest.mark.slow
def test_a_failed_run_is_reported_as_a_gap(arguments, capfd):
    # MeLU needs a derivative that FiGNN's attention lacks
    assert main(["--models", "MeLU", "MWUF", "--bases", "FiGNN", *arguments]) == 1
    output = capfd.readouterr().out
    assert re.search(r"MeLU\(FiGNN\) +seed 2021  FAILED: derivative .*results/tiny/failed/", output)
    rows = Path("results/tiny/report.md").read_text().splitlines()
    cells = next(row for row in rows if row.startswith("| MeLU(FiGNN)")).split("|")[2:-1]
    assert [cell.strip() for cell in cells] == ["0", *["–"] * 8]
    assert main(["--models", "MWUF", "--bases", "FiGNN", *arguments]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["taobao-ad", "cikm2019"])
def test_all_presets_on_generated_data(dataset, tmp_path):
    converter = dataset.split("-")[0]
    write = {"taobao": raw_layouts.write_taobao, "cikm2019": raw_layouts.write_cikm2019}
    write[converter](tmp_path / "raw", seed=1, **(SMALL[converter] | {"rows": 2000}))
    convert(Options(converter, [tmp_path / "raw"], tmp_path / dataset, min_item_count=13))
    settings = ["--old_item_threshold=30", "--phase_size=4", f"--data_path={tmp_path}"]
    assert main(["--preset", "all", "--dataset", dataset, "--workers", "2", *settings]) == 0
    assert len(runs(f"results/{dataset}")) == 24
    report = Path(f"results/{dataset}/report.md").read_text()
    tables = len(re.findall(r"^\|:--", report, re.MULTILINE)) - 2  # two on time
    assert tables == 8
    assert report.count("**Generated data**") == tables
    assert report.count("(generated data)") == 6  # the figures' titles
    assert "paper" not in without_time(report).replace("as in the paper", "")
    assert ": True" not in report
    assert f"{dataset} (generated)" in report
    csv = Path(f"results/{dataset}/results.csv").read_text().splitlines()
    assert all(line.startswith(f"{dataset},True,") for line in csv[1:])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "say what to run: --preset all|table1"),
        (["--preset", "table2"], "there is no preset 'table2'"),
        (["--models", "MWFU"], "no model 'MWFU'. Did you mean MWUF"),
        (["--models", "MWUF", "--base=DIN"], "--base is for a single run; a grid takes --bases"),
        (["--models", "MWUF", "--phase_sise=3"], "Did you mean 'phase_size'"),
        (["--models", "MWUF", "--phase_size"], "'--phase_size' is not a setting"),
        (["--models", "FM", "--dataset", "a", "b", "--output", "x"], "for one data set"),
    ],
)
def test_bad_input(given, message, capsys):
    assert main(given) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert not Path("results").exists()


def test_nothing_to_report(arguments, capsys):
    assert main(["--models", "FM", *arguments, "--report_only"]) == 0
    expected = "no report: results/tiny has no finished run of this grid"
    assert capsys.readouterr().out.strip() == expected
    assert not Path("results").exists()


@pytest.mark.parametrize("given", [["--runs", "0"], ["--workers", "x"], ["--seeds", "one"]])
def test_bad_numbers(given, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--models", "FM", *given])
    assert stopped.value.code == 2
    assert given[0] in capsys.readouterr().err
