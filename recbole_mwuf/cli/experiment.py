"""``recbole-mwuf experiment``: the paper's tables and figures, or a grid of one's own."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import Config
from recbole_mwuf.config.arguments import read_arguments
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.engine import Engine, LocalEngine, RayEngine
from recbole_mwuf.experiment.grid import GridBuilder, Job, Section, expand, presets
from recbole_mwuf.experiment.progress import Progress
from recbole_mwuf.experiment.report.document import write_report
from recbole_mwuf.experiment.run_log import RunLog
from recbole_mwuf.experiment.runner import ResultFolder, Runner


def main(options: Namespace) -> int:
    """Gather the runs of the command line.

    Returns:
        int: Exit status; 0 if every run has a result, 1 if some failed.

    Raises:
        UserError: for a mistake of the user's; nothing has been run then.
        KeyboardInterrupt: after Ctrl-C; its message says how to go on.
    """
    silence_recbole()
    settings = _settings(options.arguments)
    grids = [_Grid(name, options, settings) for name in options.datasets]
    engine = _engine(options)
    try:
        n_failed = sum(grid.gather(engine, options.command) for grid in grids)
    except BaseException as error:
        engine.kill()
        if isinstance(error, KeyboardInterrupt):
            way_on = f"finished runs are kept. To continue: {options.command}"
            raise KeyboardInterrupt(way_on) from error
        raise
    engine.close()
    return 1 if n_failed else 0


class _Grid:
    """What the command line asks for, for one data set."""

    def __init__(self, dataset: str | None, options: Namespace, settings: dict):
        if options.output is not None and len(options.datasets) > 1:
            raise UserError(f"--output={options.output} is for one data set, not for several")
        builder = GridBuilder(dataset, options.config_files.split(), settings)
        self.sections = _sections(builder, options)
        resolved = self.sections[0].rows[0].resolved
        first = resolved["seed"]
        seeds = options.seeds or list(range(first, first + options.runs))
        self.jobs = [] if options.report_only else builder.jobs(self.sections, seeds)
        interactions = Path(resolved["data_path"], f"{resolved['dataset']}.inter")
        # a cluster's machines have data of their own
        if self.jobs and options.ray is None and not interactions.is_file():
            _download(self.jobs[0])
        self.folder = ResultFolder(options.output or Path("results", resolved["dataset"]))

    def gather(self, engine: Engine, command: str) -> int:
        """Execute what is missing and write the report; returns how many runs failed."""
        n_failed = self._run(engine, command) if self.jobs else 0
        written = write_report(self.folder, self.sections)
        nothing = f"no report: {self.folder.path} has no finished run of this grid"
        print(self.folder.path / "report.html" if written else nothing)
        return n_failed

    def _run(self, engine: Engine, command: str) -> int:
        results = self.folder.results()
        earlier = [results[job.key] for job in self.jobs if job.key in results]
        missing = [job for job in self.jobs if job.key not in results]
        run_log = RunLog(self.folder.run_log, command, engine.workers)
        with Progress(len(self.jobs), engine.workers, earlier) as progress:
            return Runner(self.folder, engine).run(missing, progress, run_log)


def _sections(builder: GridBuilder, options: Namespace) -> list[Section]:
    sections = [builder.preset(name) for name in expand(options.preset)]
    if options.models:
        sections.append(builder.own(options.models, options.bases))
    if not sections:
        raise UserError(f"say what to run: --preset {'|'.join(presets())} or --models ...")
    return sections


def _download(job: Job) -> None:
    """Load data that are not here yet: RecBole downloads them, or an error says why not."""
    config = Config(job.model, job.dataset, job.config_files, job.settings, base=job.base)
    ColdStartDataset(config)


def _settings(arguments: list[str]) -> dict[str, str]:
    """``--key=value`` arguments as settings of all runs."""
    settings = read_arguments(arguments)
    for name in ("model", "base"):
        if name in settings:
            raise UserError(f"--{name} is for a single run; a grid takes --{name}s")
    return settings


def _engine(options: Namespace) -> Engine:
    if options.ray is not None:
        return RayEngine(options.ray, options.workers)
    return LocalEngine(options.workers)
