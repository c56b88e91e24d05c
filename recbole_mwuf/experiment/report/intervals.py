"""Intervals of mean AUCs and of gains, from the draws of a bootstrap over new items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd

from recbole_mwuf.data import PHASES
from recbole_mwuf.evaluator.bootstrap import interval
from recbole_mwuf.evaluator.result import PROTOCOLS
from recbole_mwuf.experiment.grid import Row, Section

Results = Mapping[str, Mapping[int, dict]]  # row key -> seed -> content of the result file
COLUMNS = ("auc_low", "auc_high", "gain", "gain_low", "gain_high")


def intervals(sections: Iterable[Section], results: Results) -> pd.DataFrame:
    """95 % intervals of every row's mean AUC over its runs, and of its gain over its own base.

    The draws depend on the items alone: a draw of a method and the same draw of its base are of
    the same items, so the gain is paired.

    Returns:
        pd.DataFrame: a row for every row, protocol and phase with draws: names and
        :data:`COLUMNS`. A gain is over the seeds that both have; empty for a plain base.
    """
    rows = [
        {
            **{"section": section.name, "panel": row.panel, "label": row.label},
            **{"protocol": protocol, "phase": phase},
            **found,
        }
        for section in sections
        for row in section.rows
        for protocol in PROTOCOLS
        for phase in PHASES
        if (found := _of_cell(row, own_base(row, section.rows), results, phase, protocol))
    ]
    names = ["section", "panel", "label", "protocol", "phase"]
    return pd.DataFrame(rows, columns=[*names, *COLUMNS])


class _Line(Protocol):
    """A row of a grid, or its scores."""

    @property
    def panel(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def base(self) -> str: ...


LineT = TypeVar("LineT", bound=_Line)


def own_base(line: LineT, among: Iterable[LineT]) -> LineT | None:
    """The plain base of a method, of the same panel; None for a plain base or if it is missing."""
    if line.model == line.base:
        return None
    return next((x for x in among if x.model == line.base and x.panel == line.panel), None)


def _of_cell(row: Row, base: Row | None, results: Results, phase: str, protocol: str) -> dict:
    own = _draws(results.get(row.key, {}), phase, protocol)
    if not own:
        return {}
    low, high = interval(np.mean(list(own.values()), axis=0))
    found = {"auc_low": low, "auc_high": high}
    of_base = _draws(results.get(base.key, {}), phase, protocol) if base else {}
    if seeds := sorted(set(own) & set(of_base)):
        gains = np.mean([own[seed] - of_base[seed] for seed in seeds], axis=0)
        low, high = interval(gains)
        gain = np.mean([_auc(results, row, seed, phase, protocol) for seed in seeds])
        gain -= np.mean([_auc(results, base, seed, phase, protocol) for seed in seeds])
        found |= {"gain": float(gain), "gain_low": low, "gain_high": high}
    return found


def _draws(by_seed: Mapping[int, dict], phase: str, protocol: str) -> dict[int, np.ndarray]:
    found = {}
    for seed, result in by_seed.items():
        draws = result.get("auc_draws", {}).get(phase, {}).get(protocol)
        if draws:
            found[seed] = np.array(draws, dtype=np.float64)  # None becomes NaN
    return found


def _auc(results: Results, row: Row | None, seed: int, phase: str, protocol: str) -> float:
    assert row is not None
    return results[row.key][seed]["phases"][phase][protocol]["auc"]
