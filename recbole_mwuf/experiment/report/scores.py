"""The figures of a benchmark as one table, ``results.csv``, and what is read from it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from recbole_mwuf.data import PHASES
from recbole_mwuf.evaluator.metrics import holm, paired_p_value, rela_impr
from recbole_mwuf.evaluator.result import PROTOCOLS
from recbole_mwuf.experiment.grid import Row, Section
from recbole_mwuf.experiment.report.intervals import intervals
from recbole_mwuf.registry import get_method

SIGNIFICANT = 0.05


def collect(sections: list[Section], results: dict[str, dict[int, dict]]) -> pd.DataFrame:
    """One row for every section, row, seed, protocol and phase, in the order of the sections.

    Args:
        sections: What the report is to show.
        results: Row key -> seed -> content of the result file.

    Returns:
        pd.DataFrame: metrics are empty where a run is missing.
    """
    seeds = sorted({seed for runs in results.values() for seed in runs})
    rows = [
        {**_columns(section, row), "seed": seed, "protocol": protocol, "phase": phase, **metrics}
        for section in sections
        for row in section.rows
        for seed in seeds
        for protocol, phase, metrics in _metrics(results.get(row.key, {}).get(seed))
    ]
    scores, of_items = pd.DataFrame(rows), intervals(sections, results)
    if not len(of_items):
        return scores
    # of a mean over runs: the same for all seeds
    return scores.merge(of_items.round(6), how="left", on=[*of_items.columns[:5]])


def _columns(section: Section, row: Row) -> dict:
    return {
        "dataset": row.resolved["dataset"],
        "generated": row.resolved["generated_data"],
        "section": section.name,
        "panel": row.panel,
        "label": row.label,
        "model": row.model,
        "base": row.base,
        "treatment": treatment(row),
        "settings": json.dumps(row.given, sort_keys=True) if row.given else "",
    }


def treatment(row: Row) -> str:
    """How the rows of new items learn: optimiser, kind of update, step size, epochs per set."""
    settings = row.resolved
    if not get_method(row.model).learns_rows():
        return "no rows learn by steps"
    rate = settings["warm_up_learning_rate"] or settings["learning_rate"]
    return (
        f"{settings['warm_up_optimizer']}, {settings['warm_up_rows']}, lr {rate:.3g}, "
        f"{settings['warm_up_epochs']} epoch(s)"
    )


def _metrics(result: dict | None) -> Iterable[tuple[str, str, dict]]:
    for protocol in PROTOCOLS:
        for phase in PHASES:
            if result is None:
                yield protocol, phase, {"updates": None, "auc": None}
                continue
            updates = result.get("updates", {}).get(phase, 0.0)  # none before the first set
            yield protocol, phase, {"updates": updates, **result["phases"][phase][protocol]}


def read_scores(file: Path) -> pd.DataFrame:
    """A ``results.csv``."""
    texts = ("panel", "settings")
    return pd.read_csv(file, keep_default_na=True).fillna(dict.fromkeys(texts, ""))


@dataclass(frozen=True)
class MethodScores:
    """A row of a table, or a line of a figure: the AUC of one method over phases and seeds.

    Attributes:
        auc: Phase -> AUC by seed; runs that are missing are left out.
    """

    panel: str
    label: str
    model: str
    base: str
    auc: dict[str, pd.Series]

    @property
    def is_plain(self) -> bool:
        """Whether it is a base without warm-up."""
        return self.model == self.base

    @property
    def n_runs(self) -> int:
        return min(len(values) for values in self.auc.values())


def lines(scores: pd.DataFrame, section: str, protocol: str) -> list[MethodScores]:
    """The rows of a section, in its order."""
    part = scores[(scores["section"] == section) & (scores["protocol"] == protocol)]
    names = ["panel", "label", "model", "base"]
    found = []
    for (panel, label, model, base), rows in part.groupby(names, sort=False):
        of_phase = {phase: rows[rows["phase"] == phase].set_index("seed") for phase in PHASES}
        auc = {phase: values["auc"].dropna() for phase, values in of_phase.items()}
        found.append(MethodScores(panel, label, model, base, auc))
    return found


def _pairs(first: MethodScores, second: MethodScores, phase: str) -> np.ndarray:
    """AUC of both by seed, over the seeds that both have, shape ``[n_seeds, 2]``."""
    return pd.concat([first.auc[phase], second.auc[phase]], axis=1, join="inner").to_numpy()


def mean_rela_impr(line: MethodScores, base: MethodScores | None, phase: str) -> float | None:
    """Eq. 7 from the mean AUCs over the seeds that both have, as the paper's figures follow."""
    if base is None or base is line:
        return None
    pairs = _pairs(line, base, phase)
    return rela_impr(*pairs.mean(axis=0)) if len(pairs) else None


def rela_impr_spread(line: MethodScores, base: MethodScores | None, phase: str) -> float | None:
    """Standard deviation of Eq. 7 over the seeds that both have; None with fewer than two."""
    if base is None:
        return None
    found = [value for pair in _pairs(line, base, phase) if (value := rela_impr(*pair)) is not None]
    return float(pd.Series(found).std(ddof=1)) if len(found) > 1 else None


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of two methods over the seeds that both have.

    Attributes:
        difference: Mean AUC of the first less that of the second; None without common seeds.
        p: Of a two-sided paired t-test; None with fewer than two common seeds.
    """

    difference: float | None
    p: float | None

    @property
    def is_better(self) -> bool:
        """Whether the first is better, significantly."""
        if self.difference is None or self.p is None:
            return False
        return self.difference > 0 and self.p <= SIGNIFICANT


def compare(first: MethodScores, second: MethodScores, phase: str) -> Comparison:
    """Compare two methods at a phase."""
    pairs = _pairs(first, second, phase)
    if not len(pairs):
        return Comparison(None, None)
    a, b = pairs.T
    return Comparison(float((a - b).mean()), paired_p_value(a, b))


def best(among: list[MethodScores], phase: str) -> MethodScores | None:
    """The method with the highest mean AUC at a phase; None if none has a run.

    The mean is over the seeds that all methods with a run have, if there are any: a mean over
    other seeds is another thing.
    """
    with_runs = [line for line in among if len(line.auc[phase])]
    of_all = [set(line.auc[phase].index) for line in with_runs]
    seeds = sorted(set.intersection(*of_all)) if of_all else []

    def mean(line: MethodScores) -> float:
        values = line.auc[phase]
        return float((values.loc[seeds] if seeds else values).mean())

    return max(with_runs, key=mean, default=None)


def better_than_best(
    panels: Iterable[list[MethodScores]], proposed: str
) -> set[tuple[str, str, str]]:
    """Where a row of the proposed method is better than the best other row of its panel.

    All of these comparisons make one family: p is corrected for their number (Holm).

    Returns:
        set: panel, label and phase.
    """
    found = []
    for panel in panels:
        others = [line for line in panel if line.model != proposed]
        for line in (line for line in panel if line.model == proposed):
            for phase in PHASES:
                if (rival := best(others, phase)) is not None:
                    cell = (line.panel, line.label, phase)
                    found.append((cell, compare(line, rival, phase)))
    corrected = with_holm([comparison for _, comparison in found])
    return {cell for (cell, _), comparison in zip(found, corrected) if comparison.is_better}


def with_holm(family: list[Comparison]) -> list[Comparison]:
    """The same comparisons with p corrected for their number."""
    adjusted = holm([comparison.p for comparison in family])
    return [replace(comparison, p=p) for comparison, p in zip(family, adjusted)]
