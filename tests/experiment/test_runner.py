"""What is executed, in which order, and that sharing changes no number."""

from concurrent.futures import Future
from pathlib import Path

import pytest

from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.experiment import engine
from recbole_mwuf.experiment.grid import GridBuilder
from recbole_mwuf.experiment.runner import ResultFolder, Runner
from recbole_mwuf.quick_start import execute, run
from tests.experiment.conftest import names


def phases(results):
    return {key: result["phases"] for key, result in results.items()}


@pytest.fixture
def jobs(builder):
    section = builder.own(["MWUF", "MetaEmb", "DropoutNet", "MeLU"], ["WideDeep", "DIN"])
    return builder.jobs([section], [1])


@pytest.mark.slow
def test_shared_bases_and_data_change_no_number(execute_jobs, jobs, settings):
    results, n_failed = execute_jobs(jobs)
    assert (len(results), n_failed) == (10, 0)
    assert names("out") == ["bases", "run_log.json", "runs"]
    assert len(names("out/bases")) == 2
    for job in jobs:
        alone = run(job.model, job.base, "tiny", config_dict=job.settings, saved=False)
        assert results[job.key]["phases"] == alone.phases, job.label
        shares = job.model in ("MWUF", "MetaEmb")
        assert (results[job.key]["timing"]["pretrain_s"] == 0) == shares
    loads = [results[job.key]["timing"]["load_s"] for job in jobs]
    assert loads[0] > 0
    assert set(loads[1:]) == {0.0}


@pytest.mark.slow
def test_the_order_of_runs_changes_no_number(execute_jobs, jobs):
    forwards, _ = execute_jobs(jobs, "forwards")
    backwards, _ = execute_jobs(jobs[::-1], "backwards")
    assert phases(forwards) == phases(backwards)


def test_data_of_other_settings_are_not_reused(settings, make):
    _, data = make()
    assert data.fits(Config("MetaEmb", "tiny", config_dict=settings, base="DCN"))
    for change in ({"phase_size": 2}, {"old_item_threshold": 18}, {"threshold": {"label": 0}}):
        config = Config("MWUF", "tiny", config_dict={**settings, **change}, base="DCN")
        assert not data.fits(config), change
        with pytest.raises(ValueError, match="other settings"):
            execute(config, saved=False, data=data)


def test_the_next_data_set_takes_the_place_of_the_last(builder, settings, monkeypatch):
    loaded: list[ColdStartDataset] = []
    monkeypatch.setattr(engine, "_loaded", loaded)
    other = GridBuilder("tiny", [], {**settings, "phase_size": 2})
    for grid, size in ((builder, 3), (other, 2), (builder, 3)):
        (job,) = grid.jobs([grid.own(["FM"], [None])], [1])
        engine.execute(job, None, 1)
        assert [data.split.phase_size for data in loaded] == [size]


def test_a_failed_run_does_not_stop_the_rest_and_is_tried_again(execute_jobs, builder):
    section = builder.own(["MeLU", "MWUF"], ["FiGNN"])  # MeLU needs a derivative that is missing
    jobs = builder.jobs([section], [1])
    results, n_failed = execute_jobs(jobs)
    assert n_failed == 1
    assert {result["model"] for result in results.values()} == {"FiGNN", "MWUF"}
    (file,) = Path("out/failed").iterdir()
    (failed,) = (job for job in jobs if job.model == "MeLU")
    assert file.name == f"{failed.key}.txt"
    assert "Traceback" in file.read_text()
    assert "derivative for aten::" in file.read_text()
    assert execute_jobs([failed])[1] == 1
    file.write_text("of an earlier version, in which FiGNN failed, too")
    file.rename(file.with_name(f"{jobs[0].key}.txt"))
    execute_jobs(jobs[:1])
    assert names("out/failed") == []


class NeverDone:
    """An engine whose runs never end."""

    workers = 4

    def __init__(self):
        self.started: list[str] = []

    def submit(self, job, base_file):
        self.started.append(job.label)
        return Future()


def test_runs_wait_for_the_base_that_another_one_trains(builder):
    jobs = builder.jobs([builder.own(["MWUF", "MetaEmb", "MeLU"], ["WideDeep", "DCN"])], [1])
    folder, never_done = ResultFolder("out"), NeverDone()
    Runner(folder, never_done)._start(waiting := list(jobs))
    # MeLU trains a base of its own and waits for no one
    first = ["WideDeep", "MeLU(WideDeep)", "DCN", "MeLU(DCN)"]
    assert never_done.started == first
    assert [job.label for job in waiting] == [
        *("MWUF(WideDeep)", "MetaEmb(WideDeep)", "MWUF(DCN)", "MetaEmb(DCN)")
    ]
    never_done.workers, never_done.started = 8, []
    runner = Runner(folder, never_done)
    runner._start(waiting)  # no one trains these bases now: one run for each does
    assert never_done.started == ["MWUF(WideDeep)", "MWUF(DCN)"]
    base = folder.base(jobs[0])
    base.parent.mkdir(parents=True)
    base.touch()  # it is written before its run has ended
    runner._start(waiting)
    assert never_done.started[2:] == ["MetaEmb(WideDeep)"]
