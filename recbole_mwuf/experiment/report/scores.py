"""The figures of a benchmark as one table, ``results.csv``, and what is read from it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recbole_mwuf.data import PHASES
from recbole_mwuf.evaluator.metrics import paired_p_value, rela_impr
from recbole_mwuf.evaluator.result import PROTOCOLS
from recbole_mwuf.experiment.grid import Row, Section
from recbole_mwuf.registry import get_method

SIGNIFICANT = 0.05


def collect(sections: Iterable[Section], results: dict[str, dict[int, dict]]) -> pd.DataFrame:
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
    return pd.DataFrame(rows)


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


def own_base(line: MethodScores, among: list[MethodScores]) -> MethodScores | None:
    """The plain base of a method, of the same panel; None for a plain base or if it is missing."""
    if line.is_plain:
        return None
    bases = (x for x in among if x.is_plain and x.base == line.base and x.panel == line.panel)
    return next(bases, None)


def mean_rela_impr(line: MethodScores, base: MethodScores | None, phase: str) -> float | None:
    """Eq. 7 from the mean AUCs over the seeds that both have, as the paper's figures follow."""
    if base is None or base is line:
        return None
    pairs = pd.concat([line.auc[phase], base.auc[phase]], axis=1, join="inner").to_numpy()
    return rela_impr(*pairs.mean(axis=0)) if len(pairs) else None


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
    pairs = pd.concat([first.auc[phase], second.auc[phase]], axis=1, join="inner").to_numpy()
    if not len(pairs):
        return Comparison(None, None)
    a, b = pairs.T
    return Comparison(float((a - b).mean()), paired_p_value(a, b))


def best(among: list[MethodScores], phase: str) -> MethodScores | None:
    """The method with the highest mean AUC at a phase; None if none has a run."""
    with_runs = [line for line in among if len(line.auc[phase])]
    return max(with_runs, key=lambda line: line.auc[phase].mean(), default=None)
