"""Where runs are executed: processes of this machine, or a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import DATA_FACTS, Config
from recbole_mwuf.data import ColdStartDataset, load_unless_kept
from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.grid import Job
from recbole_mwuf.parallel.processes import deaf_to_ctrl_c, end_in_order, end_with_parent
from recbole_mwuf.quick_start import execute as run_config
from recbole_mwuf.registry import import_modules, registered_modules

# of this process: the data set of its last run, for the next one
_loaded: list[ColdStartDataset] = []


def execute(job: Job, base_file: Path | None, threads: int) -> dict:
    """Do one run in the process that calls it; the data set stays loaded for the next one.

    Args:
        job: The run.
        base_file: Where its pre-trained base is kept; None if it shares none.
        threads: The most threads that torch may use.

    Returns:
        dict: the result file's content; ``timing["run_s"]`` is the run's whole time.
    """
    start = perf_counter()
    silence_recbole()
    quiet = {"show_progress": False, "state": "ERROR", "base_phases": False}
    settings = {**job.settings, **quiet}
    config = Config(job.model, job.dataset, job.config_files, settings, base=job.base)
    config["torch_threads"] = min(config["torch_threads"] or threads, threads)
    load_s = load_unless_kept(config, _loaded)
    result = run_config(config, saved=False, data=_loaded[0], base_file=base_file)
    result.timing["load_s"] = round(load_s, 3)
    result.timing["run_s"] = round(perf_counter() - start, 3)
    return result.to_dict()


def data_facts(job: Job) -> dict:
    """What the data of a run are, where this is called; RecBole downloads them if it can.

    Returns:
        dict: values of :data:`~recbole_mwuf.config.DATA_FACTS` by name.

    Raises:
        UserError: if there are none; the message says why not.
    """
    config = Config(job.model, job.dataset, job.config_files, job.settings, base=job.base)
    if config["data_files"] is None:
        ColdStartDataset(config)
        config.note_data()
    return {name: config[name] for name in DATA_FACTS}


class Engine(Protocol):
    """Executes runs, ``workers`` of them at a time."""

    workers: int

    def data_facts(self, job: Job) -> dict:
        """:func:`data_facts` where runs are executed."""

    def submit(self, job: Job, base_file: Path | None) -> Future:
        """Start a run; the future's result is that of :func:`execute`."""

    def close(self) -> None:
        """End the workers, which have nothing left to do."""

    def kill(self) -> None:
        """End the workers, whatever they are doing."""


class LocalEngine:
    """Processes of this machine.

    Args:
        workers: How many.
    """

    def __init__(self, workers: int):
        self.workers = workers
        self.threads = max(1, (os.cpu_count() or 1) // workers)
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        # spawn: a forked child may hang in the locks of its parent's torch threads
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            self.workers, context, initializer=_start_worker, initargs=(registered_modules(),)
        )

    def data_facts(self, job: Job) -> dict:
        return data_facts(job)

    def submit(self, job: Job, base_file: Path | None) -> Future:
        # a Ctrl-C that is not heard is lost: deaf only where a worker is to be started
        all_there = len(self._pool._processes or ()) == self.workers
        try:
            with nullcontext() if all_there else deaf_to_ctrl_c():
                return self._pool.submit(execute, job, base_file, self.threads)
        except BrokenProcessPool:  # a worker was killed, and its companions with it
            with deaf_to_ctrl_c():
                self._pool = self._new_pool()
                return self._pool.submit(execute, job, base_file, self.threads)

    def close(self) -> None:
        self._pool.shutdown()

    def kill(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


def _start_worker(modules: list[str]) -> None:
    """Know what the parent knows, leave Ctrl-C to it, and end with it even if it is killed."""
    end_in_order()
    import_modules(modules)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where a new process does not inherit it
    end_with_parent()


class RayEngine:
    """Tasks of a Ray cluster; every machine needs this package and the data set.

    Pre-trained bases are shared through the output folder if all machines see it; a machine that
    does not trains its own, with the same numbers.

    Args:
        address: Of a running cluster, or ``local`` for a new one on this machine.
        workers: Runs at a time.

    Raises:
        UserError: if Ray is not installed or cannot be reached.
    """

    def __init__(self, address: str, workers: int):
        try:
            import ray
        except ImportError as error:
            raise UserError(f"--ray={address} needs Ray: pip install ray ({error})") from error
        self.workers = workers
        self._ray = ray
        try:
            if address == "local":
                ray.init(num_cpus=workers, include_dashboard=False)
            else:
                ray.init(address=address)
        except Exception as error:  # Ray has no common class for what can fail here
            raise UserError(f"--ray={address}: cannot start or reach Ray: {error}") from error
        self._execute = ray.remote(num_cpus=1)(execute)
        self._data_facts = ray.remote(num_cpus=1)(data_facts)

    def data_facts(self, job: Job) -> dict:
        reference: Any = self._data_facts.remote(job)
        return self._ray.get(reference)

    def submit(self, job: Job, base_file: Path | None) -> Future:
        reference: Any = self._execute.remote(job, base_file, 1)
        return reference.future()

    def close(self) -> None:
        self._ray.shutdown()

    kill = close
