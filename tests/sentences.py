"""The figures in sentences of the README and of docs/, from the results that are committed.

A figure is followed by a comment that says what it is, so that it can be written and checked:

- ``.7893<!-- = fair: MWUF(WideDeep) @ warm_a -->``: mean AUC of a row of a section;
- ``+.0067<!-- = fair: MWUF(WideDeep) - WideDeep @ warm_a -->``: difference over common seeds;
- ``.0067<!-- = abs fair: ... -->`` without its sign; ``.02<!-- = p fair: A - B @ warm_a -->`` its p
  (paired t-test); ``low`` and ``high``: ends of the 95 % interval of a row's gain over its base;
  ``gauc``, ``ece``, ``updates`` and other columns in place of AUC;
- ``<!-- true: fair: A > B @ all -->``: a claim without a figure. ``>``: higher; ``>>``: higher with
  p <= .05; ``~``: neither is higher with p <= .05. ``all``, ``warm`` or some phases.

In place of a section there may be a file of docs/, such as ``online_auc.csv: MWUF - WideDeep @ 5``:
two of its columns in the row whose first cell is 5.

A section is of ml-1m and ``next_phase`` unless it says otherwise: ``ml-100k/fair/fixed_test``; a
panel of it is ``settings[AFN]``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from recbole_mwuf.data import PHASES
from recbole_mwuf.evaluator.metrics import paired_p_value
from recbole_mwuf.experiment.report.scores import SIGNIFICANT, read_scores
from recbole_mwuf.experiment.report.tables import GAP, number, signed

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FIGURE = re.compile(r"(?P<shown>[-+−]?[\w.]*)<!-- = (?P<what>[^<>]+) -->")
CLAIM = re.compile(r"<!-- true: (.*?) -->")
# what looks like an AUC or a difference of two
BARE = re.compile(r"(?<![\w.])[-+−]?\.\d{4}(?!\d)(?!<!-- = )")
_CODE = re.compile(r"```.*?```", re.DOTALL)
_MADE = re.compile(r"<!-- (?:results|gains: [^>]*|csv: [^>]*) -->.*?<!-- end -->", re.DOTALL)
_KINDS = ("abs", "p", "low", "high", "updates", "gauc", "ece", "logloss")
_OPERATORS = (" >> ", " > ", " ~ ")
_GROUPS = {"all": PHASES, "warm": PHASES[1:]}


def filled(text: str) -> str:
    """A text whose figures are those of the committed results."""
    return FIGURE.sub(lambda m: f"{figure(m['what'])}<!-- = {m['what']} -->", text)


def untrue(text: str) -> list[str]:
    """The claims of a text that the committed results do not bear out."""
    return [claim for claim in CLAIM.findall(text) if not is_true(claim)]


def bare(text: str) -> list[str]:
    """Figures in sentences and tables of a text's own that nothing accounts for."""
    return BARE.findall(_MADE.sub("", _CODE.sub("", text)))


def figure(what: str) -> str:
    """What a comment asks for, as it is printed."""
    kind, _, rest = what.partition(" ")
    if kind not in _KINDS:
        kind, rest = "", what
    section, rest = rest.split(": ", 1)
    names, _, phase = rest.rpartition(" @ ")
    first, *others = names.split(" - ")
    if section.endswith(".csv"):
        value = _cell(section, first, phase)
        if not others:
            return number(value)
        value -= _cell(section, others[0], phase)
        return number(abs(value)) if kind == "abs" else signed(value)
    column = kind if kind in ("updates", "gauc", "ece", "logloss") else "auc"
    if kind in ("low", "high"):
        return signed(_column(section, first, phase, f"gain_{kind}").mean())
    values = _column(section, first, phase, column)
    if column == "updates":
        return f"{values.mean():.1f}"
    if not others:
        return number(values.mean())
    a, b = _pairs(values, _column(section, others[0], phase, column))
    if kind == "p":
        return p_value(paired_p_value(a, b))
    difference = float(np.mean(a - b))
    return number(abs(difference)) if kind == "abs" else signed(difference)


def is_true(claim: str) -> bool:
    """Whether a claim holds at all its phases."""
    section, rest = claim.split(": ", 1)
    names, phases = _names_and_phases(rest)
    operator = next(sign for sign in _OPERATORS if sign in names)
    first, second = names.split(operator)
    if section.endswith(".csv"):
        assert operator == " > ", "a file has no runs to test with"
        return all(_cell(section, first, x) > _cell(section, second, x) for x in phases)
    return all(
        _holds(operator.strip(), *_pairs(*(_column(section, x, phase) for x in (first, second))))
        for phase in phases
    )


def _holds(operator: str, a: np.ndarray, b: np.ndarray) -> bool:
    p = paired_p_value(a, b)
    clear = p is not None and p <= SIGNIFICANT
    if operator == "~":
        return not clear
    return a.mean() > b.mean() and (operator == ">" or clear)


def _names_and_phases(text: str) -> tuple[str, tuple[str, ...]]:
    names, _, phases = text.rpartition(" @ ")
    assert names, text
    return names, _GROUPS.get(phases) or tuple(phases.split(", "))


def _cell(file: str, column: str, row: str) -> float:
    frame = pd.read_csv(DOCS / file, index_col=0)
    frame.index = frame.index.astype(str)
    return float(frame.loc[row, column])


@cache
def scores_of(dataset: str) -> pd.DataFrame:
    """The committed results on a data set."""
    return read_scores(ROOT / "results" / dataset / "results.csv")


def part(section: str) -> tuple[str, str, str, str | None]:
    """Data set, section, protocol and panel that a text names."""
    where = re.fullmatch(r"(?:(ml-\w+)/)?(\w+)(?:\[(.*)\])?(?:/(\w+))?", section)
    assert where, section
    dataset, name, panel, protocol = where.groups()
    return dataset or "ml-1m", name, protocol or "next_phase", panel


def _column(section: str, label: str, phase: str, column: str = "auc") -> pd.Series:
    """A column by seed of one row of a section at a phase."""
    dataset, name, protocol, panel = part(section)
    scores = scores_of(dataset)
    rows = scores[
        (scores["section"] == name)
        & (scores["label"] == label)
        & (scores["phase"] == phase)
        & (scores["protocol"] == protocol)
    ]
    if panel is not None:
        rows = rows[rows["panel"] == panel]
    values = rows.set_index("seed")[column].dropna()
    assert len(values) and not values.index.has_duplicates, f"{section}: {label} @ {phase}"
    return values


def _pairs(a: pd.Series, b: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    both = pd.concat([a, b], axis=1, join="inner").to_numpy()
    assert len(both), "no common seeds"
    return both[:, 0], both[:, 1]


def p_value(p: float | None) -> str:
    """``.02``, ``2e-5``; a gap if there is none."""
    if p is None:
        return GAP
    return f"{p:.1g}".replace("0.", ".") if p >= 1e-3 else f"{p:.0e}".replace("e-0", "e-")
