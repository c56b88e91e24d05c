"""Executes the runs of a grid that are not finished yet, several at a time."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from logging import getLogger
from pathlib import Path

from recbole_mwuf.config import DATA_FACTS
from recbole_mwuf.errors import UserError
from recbole_mwuf.evaluator.result import read_result
from recbole_mwuf.experiment.engine import Engine
from recbole_mwuf.experiment.grid import Job
from recbole_mwuf.experiment.keys import run_key_of, settings_key
from recbole_mwuf.experiment.progress import Progress
from recbole_mwuf.experiment.run_log import RunLog
from recbole_mwuf.files import atomic_write, set_aside, write_json


class ResultFolder:
    """The files of a grid: ``runs/`` results, ``bases/`` pre-trained bases, ``failed/`` errors.

    Only ``runs/`` is needed to go on; ``bases/`` may be deleted once the grid is finished.

    Args:
        path: The folder; it need not exist.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @property
    def run_log(self) -> Path:
        return self.path / "run_log.json"

    def results(self) -> dict[str, dict]:
        """The results of all finished runs by key, which is taken from what is in the files.

        A file that is damaged is named and set aside; its run counts as not done.
        """
        found = {}
        for file in sorted(self.path.glob("runs/*.json")):
            try:
                content = read_result(file)
                found[run_key_of(content)] = content
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                getLogger().error(f"'{file}' is damaged: {error}. Set aside as '{set_aside(file)}'")
        return found

    def data_facts(self) -> dict:
        """What the results say of their data, for a report where the data are not at hand.

        Raises:
            UserError: if they are of several data sets.
        """
        results = self.results().values()
        facts = [{name: r["config"].get(name) for name in DATA_FACTS} for r in results]
        if any(other != facts[0] for other in facts):
            raise UserError(
                f"'{self.path}/runs' holds results on different data, and the data are not here to "
                "tell which are meant: give data_path, or move some results away"
            )
        return facts[0] if facts else {}

    def result(self, job: Job) -> Path:
        return self.path / "runs" / f"{job.key}.json"

    def base(self, job: Job) -> Path | None:
        if job.base_key is None:
            return None
        return (self.path / "bases" / f"{job.base_key}.pth").resolve()

    def failure(self, job: Job) -> Path:
        return self.path / "failed" / f"{job.key}.txt"


def of_other_data_or_code(results: dict[str, dict], jobs: Iterable[Job]) -> int:
    """How many results, by key, have the settings of some runs, but other data or code."""
    wanted = {job.key: job.settings_key for job in jobs}
    others = [settings_key(r["config"]) for key, r in results.items() if key not in wanted]
    return sum(key in wanted.values() for key in others)


class Runner:
    """Executes jobs and writes their results.

    Args:
        folder: Where results are.
        engine: What executes them.
    """

    def __init__(self, folder: ResultFolder, engine: Engine):
        self.folder = folder
        self.engine = engine
        self._running: dict[Future, Job] = {}

    def run(self, jobs: list[Job], progress: Progress, run_log: RunLog) -> int:
        """Execute jobs.

        Args:
            jobs: Runs without a result, in the order in which they are to be started.
            progress: Is told what happens.
            run_log: Is told what came out.

        Returns:
            int: how many runs failed.
        """
        waiting = list(jobs)
        n_failed = 0
        while waiting or self._running:
            self._start(waiting)
            progress.show([*waiting, *self._running.values()], len(self._running))
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                job = self._running.pop(future)
                succeeded = self._finish(job, future, progress)
                run_log.note("finished" if succeeded else "failed")
                n_failed += not succeeded
        return n_failed

    def _start(self, waiting: list[Job]) -> None:
        """Start jobs while there are free workers.

        A job waits while another one is pre-training its base. It need not wait for a base that
        no one is training: then it trains the base for the others.
        """
        while len(self._running) < self.engine.workers:
            busy = {job.base_key for job in self._running.values()}
            ready = (j for j in waiting if j.base_key not in busy or self._has_base(j))
            job = next(ready, None)
            if job is None:
                return
            waiting.remove(job)
            self._running[self.engine.submit(job, self.folder.base(job))] = job

    def _has_base(self, job: Job) -> bool:
        base = self.folder.base(job)
        return base is None or base.is_file()

    def _finish(self, job: Job, future: Future, progress: Progress) -> bool:
        """Write the result or the error; returns whether there is a result."""
        failure = self.folder.failure(job)
        try:
            result = future.result()
            _check_key(job, result)
        except Exception as error:  # whatever a run may fail of, the others go on
            with atomic_write(failure) as part:
                part.write_text(_traceback(error), encoding="utf-8")
            progress.failed(job, error, failure)
            return False
        write_json(self.folder.result(job), result)
        failure.unlink(missing_ok=True)
        progress.finished(job, result)
        return True


def execute_missing(folder: ResultFolder, jobs: list[Job], engine: Engine, command: str) -> int:
    """Execute the jobs that have no result yet; returns how many failed.

    Args:
        folder: Where results are.
        jobs: All of them.
        engine: Executes them, several at a time.
        command: The command line, for the log of calls.
    """
    results = folder.results()
    earlier = [results[job.key] for job in jobs if job.key in results]
    missing = [job for job in jobs if job.key not in results]
    run_log = RunLog(folder.run_log, command, engine.workers)
    with Progress(len(jobs), engine.workers, earlier) as progress:
        return Runner(folder, engine).run(missing, progress, run_log)


def _check_key(job: Job, result: dict) -> None:
    """Refuse the result of a machine of a cluster that has other data or another version."""
    if run_key_of(result) != job.key:
        raise UserError(
            "the run is not the one that was planned: the machine that did it has other data or "
            f"another version ({result['versions']}, data {result['config'].get('data_files')})"
        )


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
