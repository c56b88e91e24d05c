"""What is damaged in a grid's folder is set aside and made anew; what is stale is left out."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from recbole_mwuf.cli import experiment, run_command
from recbole_mwuf.errors import UserError
from recbole_mwuf.evaluator.result import read_result
from recbole_mwuf.experiment import engine, keys
from recbole_mwuf.experiment.engine import data_facts
from recbole_mwuf.experiment.grid import GridBuilder
from recbole_mwuf.experiment.run_log import read_run_log
from recbole_mwuf.experiment.runner import ResultFolder, of_other_data_or_code
from recbole_mwuf.quick_start import run
from tests.conftest import tiny_interactions, write_tiny
from tests.experiment.conftest import InThisProcess, names


@pytest.fixture
def jobs(builder):
    return builder.jobs([builder.own(["MWUF"], ["FM"])], [1])


@pytest.fixture
def folder(execute_jobs, jobs) -> ResultFolder:
    """A finished grid: the plain base, and MWUF on it."""
    assert execute_jobs(jobs)[1] == 0
    return ResultFolder("out")


def phases(folder: ResultFolder) -> list[dict]:
    return [result["phases"] for result in folder.results().values()]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[:1000], "Unterminated string|Expecting|delimiter"),
        (lambda text: "[]", "it holds no settings and figures"),
        (lambda text: text.replace('"phases"', '"phazes"'), "there is no phases"),
        (lambda text: text.replace('"auc": 0.', '"auc": 0.9', 1), "checksum"),
        (lambda text: text.replace('"seed": 1', '"seed": 2'), "checksum"),
        (lambda text: "\0" * len(text), "Expecting value"),
    ],
)
def test_a_damaged_result(folder, execute_jobs, jobs, caplog, damage, reason):
    before, file = phases(folder), folder.result(jobs[0])
    file.write_text(damage(file.read_text()))
    assert list(folder.results()) == [jobs[1].key]
    assert f"'{file}' is damaged" in caplog.text
    assert f"Set aside as '{file}.damaged'" in caplog.text
    with pytest.raises(ValueError, match=reason):
        read_result(f"{file}.damaged")
    execute_jobs(jobs[:1])
    assert phases(folder) == before
    assert names("out/runs") == sorted(
        [f"{job.key}.json" for job in jobs] + [f"{file.name}.damaged"]
    )


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_a_damaged_base(folder, execute_jobs, jobs, caplog, position):
    before, base = phases(folder), folder.base(jobs[1])
    content = bytearray(base.read_bytes())
    for i in range(200):
        content[int(position * len(content)) + i] ^= 255
    base.write_bytes(content)
    folder.result(jobs[1]).unlink()
    assert execute_jobs(jobs[1:])[1] == 0
    assert "is not a readable checkpoint" in caplog.text
    assert f"Set aside as {base}.damaged; trained again" in caplog.text
    assert phases(folder) == before
    assert names("out/bases") == [base.name, f"{base.name}.damaged"]


def test_a_base_of_the_users_is_not_touched(folder, jobs, settings):
    base = Path("mine.pth")
    base.write_bytes(folder.base(jobs[1]).read_bytes()[:-100])
    with pytest.raises(UserError, match="not a readable checkpoint"):
        run("MWUF", "FM", "tiny", config_dict={**settings, "pretrained_base": str(base)})
    assert base.exists()


def test_a_damaged_run_log(folder, caplog):
    folder.run_log.write_text("{")
    assert read_run_log(folder.run_log) == []
    assert "run_log.json' is damaged" in caplog.text
    assert (folder.path / "run_log.json.damaged").is_file()


@pytest.fixture
def converted(settings) -> dict:
    """Settings of the small data set in a folder where it will be converted again."""
    Path("data").mkdir()
    write_tiny(Path("data"))
    return {**settings, "data_path": "data"}


def convert_again() -> None:
    """Other labels under the same name in the same folder."""
    frame = tiny_interactions()
    shutil.rmtree("data/tiny")
    write_tiny(Path("data"), frame.assign(**{"label:float": 1 - frame["label:float"]}))


def arguments(settings, *more) -> list[str]:
    Path("tiny.yaml").write_text(json.dumps(settings))
    return ["--models", "FM", "--dataset", "tiny", "--config_files", "tiny.yaml", *more]


def planned(settings):
    builder = GridBuilder("tiny", [], settings)
    return builder.jobs([builder.own(["FM"], [None])], [2021])


def test_another_conversion_is_another_run(converted, execute_jobs):
    first = execute_jobs(planned(converted))[0]
    convert_again()
    jobs = planned(converted)
    assert jobs[0].key not in first
    assert of_other_data_or_code(first, jobs) == 1
    second = execute_jobs(jobs)[0]
    assert second[jobs[0].key]["phases"] != next(iter(first.values()))["phases"]


def test_stale_results_are_told_and_left_out(converted, execute_jobs, capsys):
    execute_jobs(planned(converted), "results/tiny")
    capsys.readouterr()
    call = arguments(converted, "--report_only")
    assert run_command("experiment", call, "run_benchmark.py") == 0
    assert capsys.readouterr().out.strip() == "results/tiny/report.html"
    convert_again()
    assert run_command("experiment", call, "run_benchmark.py") == 0
    output, errors = capsys.readouterr()
    assert output.startswith("no report")
    assert "1 results with these settings are of other data" in errors


def test_a_report_needs_no_data(converted, execute_jobs, capsys):
    execute_jobs(planned(converted), "results/tiny")
    capsys.readouterr()
    shutil.move("data", "elsewhere")
    call = arguments(converted, "--report_only")
    assert run_command("experiment", call, "run_benchmark.py") == 0
    assert capsys.readouterr() == ("results/tiny/report.html\n", "")
    shutil.move("elsewhere", "data")
    convert_again()
    execute_jobs(planned(converted), "results/tiny")
    shutil.rmtree("data")
    assert run_command("experiment", call, "run_benchmark.py") == 2
    assert "holds results on different data" in capsys.readouterr().err


def test_a_result_of_another_machines_data_is_refused(converted, execute_jobs):
    """As on a cluster whose machines have data of their own."""
    jobs = planned(converted)
    convert_again()
    results, n_failed = execute_jobs(jobs)
    assert (results, n_failed) == ({}, 1)
    (failure,) = Path("out/failed").iterdir()
    assert "the machine that did it has other data or another version" in failure.read_text()


def test_results_of_other_figures_are_made_again(folder, builder, monkeypatch):
    monkeypatch.setattr(keys, "FIGURES_VERSION", keys.FIGURES_VERSION + 1)
    jobs = builder.jobs([builder.own(["MWUF"], ["FM"])], [1])
    assert not {job.key for job in jobs} & set(folder.results())
    assert of_other_data_or_code(folder.results(), jobs) == 2


class Elsewhere(InThisProcess):
    """A cluster that has the data, which the machine that plans has not."""

    def data_facts(self, job):
        with self.at_hand():
            return data_facts(job)

    def submit(self, job, base_file):
        with self.at_hand():
            return super().submit(job, base_file)

    @contextmanager
    def at_hand(self):
        shutil.move("elsewhere", "data")
        yield
        shutil.move("data", "elsewhere")

    def close(self):
        pass


def test_a_cluster_tells_what_its_data_are(converted, monkeypatch, capsys):
    shutil.move("data", "elsewhere")
    monkeypatch.setattr(experiment, "_engine", lambda options: Elsewhere())
    monkeypatch.setattr(engine, "_loaded", [])
    call = arguments(converted)
    assert run_command("experiment", call, "run_benchmark.py") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "results/tiny/report.html"
    (result,) = Path("results/tiny/runs").iterdir()
    before = result.stat().st_mtime_ns
    assert run_command("experiment", call, "run_benchmark.py") == 0  # nothing to do
    assert result.stat().st_mtime_ns == before
    assert "1/1 finished" in capsys.readouterr().err
