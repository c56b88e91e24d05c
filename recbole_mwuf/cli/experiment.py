"""``recbole-mwuf experiment``: the paper's tables and figures, or a grid of one's own."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config.arguments import read_arguments
from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.engine import Engine, LocalEngine, RayEngine
from recbole_mwuf.experiment.grid import GridBuilder, Job, Section, expand, presets
from recbole_mwuf.experiment.report.document import write_report
from recbole_mwuf.experiment.runner import ResultFolder, execute_missing, of_other_data_or_code
from recbole_mwuf.versions import FIGURES_VERSION


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
        for grid in grids:
            grid.plan(engine)
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
        self.builder, self.report_only = builder, options.report_only
        self.sections = _sections(builder, options)
        self.first = self.sections[0].rows[0].resolved
        seed = self.first["seed"]
        self.seeds = options.seeds or list(range(seed, seed + options.runs))
        self.folder = ResultFolder(options.output or Path("results", self.first["dataset"]))

    def plan(self, engine: Engine) -> None:
        """Look at the data: the keys of all runs name them.

        Raises:
            UserError: if there are no data, or the results at hand are of several.
        """
        if self.first["data_files"] is None:  # not here; a cluster has data of its own
            some_job = self.builder.jobs(self.sections[:1], self.seeds[:1])[0]
            facts = self.folder.data_facts() if self.report_only else engine.data_facts(some_job)
            self.builder.note_data(facts)

    def gather(self, engine: Engine, command: str) -> int:
        """Execute what is missing and write the report; returns how many runs failed."""
        executes = None if self.report_only else engine
        sections = [self._tuned(section, executes, command) for section in self.sections]
        jobs = self.builder.jobs(sections, self.seeds)
        self._tell_others(jobs)
        n_failed = execute_missing(self.folder, jobs, executes, command) if executes else 0
        written = write_report(self.folder, sections)
        nothing = f"no report: {self.folder.path} has no finished run of this grid"
        print(self.folder.path / "report.html" if written else nothing)
        return n_failed

    def _tuned(self, section: Section, engine: Engine | None, command: str) -> Section:
        if section.tune is None:
            return section
        try:
            from recbole_mwuf.experiment.tuned import tune_section
        except ImportError as error:
            if error.name != "hyperopt":
                raise
            raise UserError(
                f"--preset {section.name} needs hyperopt: pip install hyperopt"
            ) from error
        return tune_section(self.builder, section, engine, self.folder, command)

    def _tell_others(self, jobs: list[Job]) -> None:
        """Results that look like some of this grid's are left out, but not silently."""
        if n_others := of_other_data_or_code(self.folder.results(), jobs):
            print(
                f"{self.folder.path}/runs: {n_others} results with these settings are of other "
                f"data, or of code with other figures than version {FIGURES_VERSION}; left out",
                file=sys.stderr,
            )


def _sections(builder: GridBuilder, options: Namespace) -> list[Section]:
    sections = [builder.preset(name) for name in expand(options.preset)]
    if options.models:
        sections.append(builder.own(options.models, options.bases))
    if not sections:
        raise UserError(f"say what to run: --preset {'|'.join(presets())} or --models ...")
    return sections


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
