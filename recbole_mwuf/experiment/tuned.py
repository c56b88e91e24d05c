"""Rows of a table that are tuned with the same budget before they are compared.

Every row tries its default and the same number of drawn configurations on held-out new items, and
is then run with what scored best on the other new items. Trials are runs like others: they are
executed by the grid's engine, share bases and are kept, so that the same command goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np

from recbole_mwuf.data import WARM_SETS
from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.engine import Engine
from recbole_mwuf.experiment.grid import Choice, GridBuilder, Job, Row, Section
from recbole_mwuf.experiment.runner import ResultFolder, execute_missing
from recbole_mwuf.experiment.space import Space, draw, method_space, rows_space
from recbole_mwuf.files import write_json
from recbole_mwuf.registry import is_warm_up_method


def space_of(row: Row) -> Space:
    """What is tuned of a row: a method's own settings and how rows learn.

    A plain base is not tuned itself: all methods on it share it as it is.
    """
    return method_space(row.model) if is_warm_up_method(row.model) else rows_space()


def trials(builder: GridBuilder, row: Row, tune: Mapping, seed: int) -> list[Job]:
    """The runs that tune a row: its default first, then drawn configurations.

    Args:
        builder: Of the grid.
        row: Tuned on its own; what the user or the preset gave it stays.
        tune: ``trials``: how many; ``validation_items``: the share of the new items to tune on.
        seed: Of the runs and of the draws.
    """
    space = {name: kind for name, kind in space_of(row).items() if name not in row.given}
    points = [{}, *draw(space, tune["trials"] - 1, seed)] if space else [{}]
    held_out = {"validation_items": tune["validation_items"], "score_validation": True}
    rows = [builder.changed(row, {**point, **held_out}) for point in points]
    return builder.jobs([Section(row.label, "", "table", rows)], [seed])


def score(result: dict) -> float | None:
    """The mean AUC of a trial's phases after cold, by `next_phase`; None where one is undefined."""
    values = [result["phases"][phase]["next_phase"].get("auc") for phase in WARM_SETS]
    return None if None in values else float(np.mean(values))


def choose(jobs: list[Job], results: Mapping[str, dict], row: Row) -> Choice:
    """The best of a row's trials, the earliest of equal ones.

    Raises:
        UserError: if none of them has a result with a score.
    """
    found = [(job, score(results[job.key])) for job in jobs if job.key in results]
    if not found:
        raise UserError(f"{row.label}: no trial has a result; see the errors in trials/failed")
    done = [(job, value) for job, value in found if value is not None]
    if not done:
        n_items = jobs[0].settings["validation_items"]
        raise UserError(
            f"{row.label}: no trial has an AUC at warm-a, -b and -c: validation_items={n_items} of "
            "the new items have too few samples of one of the labels; try another N or K"
        )
    best, best_score = max(done, key=lambda pair: pair[1])
    ignored = {"validation_items", "score_validation", "seed", *row.given}
    params = {name: value for name, value in best.settings.items() if name not in ignored}
    default = next((value for job, value in done if job is jobs[0]), None)
    return Choice(params, best_score, default, len(done))


def tuned(
    builder: GridBuilder, section: Section, choices: Mapping[str, Choice], tune: Mapping
) -> Section:
    """A section whose rows have what was chosen, on the new items that no trial has seen.

    Args:
        builder: Of the grid.
        section: As the preset describes it.
        choices: By label of the row.
        tune: As in :func:`trials`.
    """
    rest = {"validation_items": tune["validation_items"]}
    rows = [builder.changed(row, {**choices[row.label].params, **rest}) for row in section.rows]
    return replace(section, rows=rows, choices=choices)


def tune_section(
    builder: GridBuilder,
    section: Section,
    engine: Engine | None,
    folder: ResultFolder,
    command: str,
) -> Section:
    """Execute the trials of a section's rows that are missing and apply what they found.

    Rows with one label, in several panels, share what the first of them chose.

    Args:
        builder: Of the grid.
        section: With ``tune``.
        engine: Executes trials, several at a time; None if those at hand have to do.
        folder: The grid's; trials are kept in ``trials/`` of it.
        command: The command line, for the log of calls.

    Returns:
        Section: with tuned rows and what was chosen.

    Raises:
        UserError: if a row has no trial with a result.
    """
    tune, seed = section.tune or {}, int(section.rows[0].resolved["seed"])
    first: dict[str, Row] = {}
    for row in section.rows:
        first.setdefault(row.label, row)
    of_row = {label: trials(builder, row, tune, seed) for label, row in first.items()}
    jobs = list({job.key: job for of_one in of_row.values() for job in of_one}.values())
    kept = ResultFolder(folder.path / "trials")
    if engine is not None:
        execute_missing(kept, jobs, engine, command)
    results = kept.results()
    choices = {label: choose(of_row[label], results, row) for label, row in first.items()}
    content = {label: asdict(choice) for label, choice in choices.items()}
    write_json(folder.path / f"tuned-{section.name}.json", content)
    return tuned(builder, section, choices, tune)
