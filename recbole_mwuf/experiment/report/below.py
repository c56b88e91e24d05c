"""Which methods of a section are below their own base, and the likely reasons."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recbole_mwuf.data import PHASES
from recbole_mwuf.evaluator.diagnosis import diagnose
from recbole_mwuf.experiment.grid import Row, Section
from recbole_mwuf.experiment.report.intervals import Results, own_base
from recbole_mwuf.experiment.report.tables import escape

_HEAD = (
    "### Below their base\n\nBy the mean over the runs that both have; likely reasons, and what to "
    "try, from what the runs recorded."
)


def below_base(section: Section, results: Results) -> list[str]:
    """A paragraph with a list for every method that is below its own base; none if none is."""
    found = []
    for row in section.rows:
        base = own_base(row, section.rows)
        if base is not None and (lines := _diagnosis(row, base, results)):
            name, *reasons = lines
            found.append("\n".join([f"- {name}", *(f"    - {reason}" for reason in reasons)]))
    return [_HEAD, *found] if found else []


def _diagnosis(row: Row, base: Row, results: Results) -> list[str]:
    own, of_base = results.get(row.key, {}), results.get(base.key, {})
    seeds = sorted(set(own) & set(of_base))
    if not seeds:
        return []
    first = own[seeds[0]]
    trained = (r.get("pretraining") for r in (first, *of_base.values()))
    facts = {
        **first,
        "phases": _mean([own[seed] for seed in seeds]),
        "pretraining": next(filter(None, trained), {}),
    }
    found = diagnose(facts, _mean([of_base[seed] for seed in seeds]), name=row.label)
    return [escape(line) for line in found]


def _mean(results: list[Mapping]) -> dict:
    """AUC by phase, as in a result file; None where one of them has none."""
    found = {}
    for phase in PHASES:
        values = [result["phases"][phase]["next_phase"].get("auc") for result in results]
        mean = None if None in values else float(np.mean(values))
        found[phase] = {"next_phase": {"auc": mean}}
    return found
