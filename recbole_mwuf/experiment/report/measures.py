"""What a table of AUC leaves out: other metrics, intervals over items, how rows learned."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from recbole_mwuf.data import PHASES
from recbole_mwuf.data.split import WARM_SETS
from recbole_mwuf.experiment.grid import Choice, Section
from recbole_mwuf.experiment.report.tables import (
    GAP,
    PHASE_TITLES,
    escape,
    markdown_table,
    number,
    signed,
)

_METRICS = {
    "gauc": "GAUC: AUC within a user's samples, mean over the users weighted by positives.",
    "ece": "ECE: expected calibration error of the probabilities, 15 bins; lower is better.",
}
_INTERVALS = (
    "Gain in AUC over the own base, with a 95 % interval from a bootstrap over the new items: what "
    "would change with other items. It is of the mean over the runs."
)
_NAMES = ["panel", "label"]


def measures(scores: pd.DataFrame, section: str, protocol: str) -> list[str]:
    """Paragraphs on a section's other metrics and intervals, as far as its runs have them."""
    part = scores[(scores["section"] == section) & (scores["protocol"] == protocol)]
    parts = []
    if "gain_low" in part and part["gain_low"].notna().any():
        parts += [_INTERVALS, _gains(part)]
    for metric, title in _METRICS.items():
        if metric in part and part[metric].notna().any():
            parts += [title, _means(part, metric)]
    return parts


def learning_table(scores: pd.DataFrame, section: str) -> str:
    """How the rows of new items learned: treatment, and updates of a row per warm-up set."""
    part = scores[(scores["section"] == section) & (scores["protocol"] == "next_phase")]
    table = []
    for names, rows in _methods(part):
        updates = [rows.loc[rows["phase"] == phase, "updates"].mean() for phase in WARM_SETS]
        cells = [GAP if pd.isna(value) else f"{value:.1f}" for value in updates]
        table.append([*names, str(rows["treatment"].iloc[0]), *cells])
    titles = [f"updates, {PHASE_TITLES[phase]}" for phase in WARM_SETS]
    return markdown_table([*_header(part), "optimiser of the rows", *titles], table)


def choices_table(section: Section) -> str:
    """What the trials of a section's rows chose."""
    header = ["method", "trials", "default", "tuned", "settings"]
    rows = [
        [escape(label), str(c.n_trials), number(c.default), number(c.score), _settings(c)]
        for label, c in section.choices.items()
    ]
    return markdown_table(header, rows)


def _settings(choice: Choice) -> str:
    texts = [
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in choice.params.items()
    ]
    return escape(", ".join(texts) or "default")


def _gains(part: pd.DataFrame) -> str:
    table = []
    for names, rows in _methods(part):
        if rows["gain_low"].isna().all():
            continue
        cells = []
        for phase in PHASES:
            found = rows[rows["phase"] == phase].iloc[0]
            low, high = signed(found["gain_low"]), signed(found["gain_high"])
            cells.append(f"{signed(found['gain'])} [{low}, {high}]")
        table.append([*names, *cells])
    return markdown_table([*_header(part), *PHASE_TITLES.values()], table)


def _means(part: pd.DataFrame, metric: str) -> str:
    table = [
        [*names, *(number(rows.loc[rows["phase"] == phase, metric].mean()) for phase in PHASES)]
        for names, rows in _methods(part)
    ]
    return markdown_table([*_header(part), *PHASE_TITLES.values()], table)


def _methods(part: pd.DataFrame) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Names and rows of every method of a section, in its order."""
    for (panel, label), rows in part.groupby(_NAMES, sort=False):
        yield [*([escape(panel)] if part["panel"].any() else []), escape(label)], rows


def _header(part: pd.DataFrame) -> list[str]:
    return [*(["panel"] if part["panel"].any() else []), "method"]
