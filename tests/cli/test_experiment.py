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

import psutil
import pytest
import yaml

from dataset_converters import Options, convert
from recbole_mwuf.cli import run_command
from tests.conftest import TINY
from tests.dataset_converters import raw_layouts
from tests.dataset_converters.conftest import SMALL


def main(arguments: list[str]) -> int:
    return run_command("experiment", arguments, "run_benchmark.py")


SCRIPT = Path(__file__).parents[2] / "run_benchmark.py"


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


def load(file: Path) -> dict:
    return json.loads(file.read_text())


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


WRITE = {"taobao-ad": raw_layouts.write_taobao, "cikm2019": raw_layouts.write_cikm2019}
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


def kill(process):
    """SIGKILL to the parent; its workers must notice."""
    process.kill()
    return -signal.SIGKILL, ""


def interrupt(process):
    """Ctrl-C in the shell: parent and workers get it."""
    os.killpg(process.pid, signal.SIGINT)
    return 130, "finished runs are kept. To continue: python run_benchmark.py --preset"


def kill_worker(process):
    """As when memory runs out: the other runs go on."""
    (worker,) = (
        child
        for child in psutil.Process(process.pid).children()
        if "resource_tracker" not in " ".join(child.cmdline())
    )
    worker.kill()
    return 1, ""


@pytest.mark.slow
def test_disturbed_again_and_again_the_report_is_the_same(arguments, undisturbed):
    command = [*GRID, *arguments, "--output", "out"]
    done: dict[Path, int] = {}
    for disturb in (kill, interrupt, kill_worker):
        process = start(*command)
        enough = len(done) + 2
        wait_for(lambda enough=enough: len(runs("out")) >= enough)
        status, message = disturb(process)
        output, errors = process.communicate(timeout=600)
        assert process.returncode == status, errors
        assert message in errors
        assert "Traceback" not in errors
        wait_for(lambda group=process.pid: is_gone(group))
        now = {file: file.stat().st_mtime_ns for file in runs("out")}
        assert done.items() < now.items()  # none was repeated
        assert len(now) < 12
        done = now
    assert len(done) == 11
    assert output.count("FAILED: A process in the process pool was terminated abruptly") == 1
    (failed,) = Path("out/failed").iterdir()
    assert main(command) == 0
    assert not failed.exists()
    assert_same_report("out", undisturbed)
    run_log = json.loads(Path("out/run_log.json").read_text())["run_log"]
    assert [run_log["failed"] for run_log in run_log] == [0, 0, 1, 0]


@pytest.mark.slow
def test_two_ray_workers_give_the_same_report(arguments, undisturbed):
    process = start(*GRID, *arguments, "--workers", "2", "--ray", "local", "--output", "out")
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert output.splitlines()[-1] == "out/report.html"
    assert_same_report("out", undisturbed)


@pytest.mark.slow
def test_a_failed_run_is_told_and_stays_a_gap(arguments, capfd):
    # MeLU needs a derivative that FiGNN's attention lacks
    command = ["--models", "MeLU", "MWUF", "--bases", "FiGNN", *arguments]
    assert main(command) == 1
    output, errors = capfd.readouterr()
    lines = {line.split()[0]: line for line in output.splitlines() if " seed 2021 " in line}
    assert list(lines) == ["FiGNN", "MeLU(FiGNN)", "MWUF(FiGNN)"]
    assert re.search(r"FAILED: derivative .*results/tiny/failed/", lines["MeLU(FiGNN)"])
    (plain,) = (r for file in runs("results/tiny") if (r := load(file))["model"] == "FiGNN")
    for phase in plain["phases"].values():
        assert f"{phase['next_phase']['auc']:.4f}" in lines["FiGNN"]
    assert "2/3 finished" in errors
    assert "1 running, 1 failed" in errors
    report = Path("results/tiny/report.md").read_text()
    row = next(row for row in report.splitlines() if row.startswith("| MeLU(FiGNN)"))
    assert [cell.strip() for cell in row.split("|")[2:-1]] == ["0", *["–"] * 8]
    Path("results/tiny/report.md").unlink()
    assert main([*command, "--report_only"]) == 0
    assert Path("results/tiny/report.md").read_text() == report


@pytest.mark.slow
def test_all_presets_on_generated_data(tmp_path):
    for dataset, write in WRITE.items():
        converter = dataset.split("-")[0]
        raw = tmp_path / "raw" / converter
        write(raw, seed=1, **(SMALL[converter] | {"rows": 2000}))
        convert(Options(converter, [raw], tmp_path / dataset, min_item_count=13))
    settings = ["--old_item_threshold=30", "--phase_size=4", f"--data_path={tmp_path}"]
    assert main(["--preset", "all", "--datasets", *WRITE, "--workers", "2", *settings]) == 0
    for dataset in WRITE:
        assert len(runs(f"results/{dataset}")) == 24
        report = Path(f"results/{dataset}/report.md").read_text()
        tables = len(re.findall(r"^\|:--", report, re.MULTILINE)) - 2  # two on time
        assert tables > report.count("**Generated data**") == 8  # a note for section and protocol
        assert report.count("(generated data)") == 6  # the figures' titles
        assert "paper" not in without_time(report).replace("as in the paper", "")
        assert f"{dataset} (generated)" in report
        csv = Path(f"results/{dataset}/results.csv").read_text().splitlines()
        assert all(line.startswith(f"{dataset},True,") for line in csv[1:])


def test_nothing_to_report(arguments, capsys):
    assert main(["--models", "FM", *arguments, "--report_only"]) == 0
    expected = "no report: results/tiny has no finished run of this grid"
    assert capsys.readouterr().out.strip() == expected
    assert not Path("results").exists()


def test_missing_data_is_one_error_before_anything_runs(capsys):
    assert main(["--preset", "table1", "--datasets", "ml-100k", "nowhere"]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("error: dataset=nowhere: there is no")
    assert len(errors.splitlines()) == 1
    assert not Path("results").exists()


@pytest.mark.parametrize("given", [["--runs", "0"], ["--workers", "x"], ["--seeds", "one"]])
def test_bad_numbers(given, capsys):
    assert main(["--models", "FM", *given]) == 2
    assert given[0] in capsys.readouterr().err
