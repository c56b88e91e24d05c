"""An engine that executes runs where it stands, and a grid on the small data set."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest

from recbole_mwuf.experiment import engine as engines
from recbole_mwuf.experiment.engine import execute
from recbole_mwuf.experiment.grid import GridBuilder
from recbole_mwuf.experiment.progress import Progress
from recbole_mwuf.experiment.run_log import RunLog
from recbole_mwuf.experiment.runner import ResultFolder, Runner


class InThisProcess:
    """Executes a run when it is submitted."""

    workers = 1

    def submit(self, job, base_file) -> Future:
        future: Future = Future()
        try:
            future.set_result(execute(job, base_file, 1))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def builder(settings) -> GridBuilder:
    return GridBuilder("tiny", [], settings)


@pytest.fixture
def execute_jobs():
    """Executes jobs; returns the folder's results by key and how many failed."""
    engines._loaded.clear()  # what another test of this process has loaded

    def run(jobs, folder="out", engine=None):
        results, engine = ResultFolder(folder), engine or InThisProcess()
        run_log = RunLog(results.run_log, "test", engine.workers)
        with Progress(len(jobs), engine.workers, []) as progress:
            n_failed = Runner(results, engine).run(jobs, progress, run_log)
        return results.results(), n_failed

    return run


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())
