"""The tables of a report, as Markdown."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from recbole_mwuf.data import PHASES
from recbole_mwuf.data.split import WARM_SETS
from recbole_mwuf.experiment.report.intervals import own_base
from recbole_mwuf.experiment.report.scores import (
    SIGNIFICANT,
    MethodScores,
    best,
    better_than_best,
    compare,
    mean_rela_impr,
    rela_impr_spread,
    with_holm,
)

GAP = "–"
REFERENCE = "WideDeep"  # what the paper's RelaImpr is relative to
PHASE_TITLES = {phase: phase.replace("_", "-") for phase in PHASES}


def auc_table(rows: list[MethodScores], proposed: str) -> str:
    """The paper's layout: AUC, RelaImpr against Wide & Deep and against the own base, by phase.

    The best AUC of a phase is bold; ``*`` marks a row of the proposed method that is better than
    the best baseline, which is any other row, with p <= 0.05 in a paired t-test, after Holm's
    correction for the number of such tests in the table.
    """
    marked = better_than_best([rows], proposed)
    reference = next((x for x in rows if x.is_plain and x.base == REFERENCE), None)
    header = ["method", "runs"]
    for phase in PHASES:
        header += [PHASE_TITLES[phase], *(["to W&D"] if reference else []), "to base"]
    table = []
    for line in rows:
        cells = [escape(line.label), str(line.n_runs)]
        for phase in PHASES:
            cells.append(_auc_cell(line, rows, phase, marked))
            if reference:
                cells.append(_rela_impr(line, reference, phase))
            cells.append(_rela_impr(line, own_base(line, rows), phase))
        table.append(cells)
    return markdown_table(header, table)


def _auc_cell(
    line: MethodScores, rows: list[MethodScores], phase: str, marked: set[tuple[str, str, str]]
) -> str:
    text = mean_and_std(line.auc[phase])
    if text == GAP:
        return text
    if best(rows, phase) is line:
        text = f"**{text}**"
    return text + (r"\*" if (line.panel, line.label, phase) in marked else "")


def panel_table(rows: list[MethodScores], proposed: str) -> str:
    """Every line of a figure: AUC by phase, marked as in :func:`auc_table` panel by panel."""
    panels_of = {line.panel: [row for row in rows if row.panel == line.panel] for line in rows}
    marked = better_than_best(panels_of.values(), proposed)
    several = len(panels_of) > 1
    panels = "base" if all(line.panel == line.base for line in rows) else "panel"
    header = [*([panels] if several else []), "method", "runs", *PHASE_TITLES.values()]
    table = []
    for line in rows:
        names = [*([escape(line.panel)] if several else []), escape(line.label)]
        cells = [_auc_cell(line, panels_of[line.panel], phase, marked) for phase in PHASES]
        table.append([*names, str(line.n_runs), *cells])
    return markdown_table(header, table)


@cache
def paper_table() -> pd.DataFrame:
    """The paper's Table 1: AUC by data set, method and phase."""
    return pd.read_csv(Path(__file__).with_name("paper_table1.csv")).set_index(
        ["dataset", "method"]
    )


def in_paper(rows: list[MethodScores], dataset: str) -> bool:
    """Whether the paper's Table 1 has all these rows."""
    return all((dataset, line.label) in paper_table().index for line in rows)


def paper_comparison(rows: list[MethodScores], dataset: str) -> str:
    """Our AUC, the paper's and the difference, by phase."""
    paper = paper_table().loc[dataset]
    header = ["method"]
    for phase in PHASES:
        header += [PHASE_TITLES[phase], "paper", "diff."]
    table = []
    for line in rows:
        cells = [escape(line.label)]
        for phase in PHASES:
            theirs = paper.at[line.label, phase]
            ours = line.auc[phase].mean() if len(line.auc[phase]) else None
            difference = GAP if ours is None else signed(ours - theirs)
            cells += [number(ours), number(theirs), difference]
        table.append(cells)
    return markdown_table(header, table)


def flatters_table(rows: list[MethodScores], panels: tuple[str, ...]) -> str:
    """By method and phase, mean AUC in the first panel less that in the second, with its p."""
    first, second = panels
    rivals = {row.label: row for row in rows if row.panel == second}
    table = []
    for line in rows:
        if line.panel != first or line.label not in rivals:
            continue
        cells = []
        for phase in PHASES:
            found = compare(line, rivals[line.label], phase)
            p = "" if found.p is None else f" (p {found.p:.1g})"
            cells.append(GAP if found.difference is None else signed(found.difference) + p)
        table.append([escape(line.label), *cells])
    return markdown_table(["method", *PHASE_TITLES.values()], table)


def verdict(rows: list[MethodScores], proposed: str) -> str:
    """Where the proposed method does not beat a baseline of its base at warm-a, -b or -c."""
    pairs = [
        (line, baseline, phase)
        for line in rows
        if line.model == proposed
        for baseline in rows
        if baseline.model != proposed and (baseline.base, baseline.panel) == (line.base, line.panel)
        for phase in WARM_SETS
    ]
    if not pairs:
        return ""
    exceptions = []
    for (line, baseline, phase), found in zip(pairs, with_holm([compare(*p) for p in pairs])):
        if not found.is_better:
            p = "not tested" if found.p is None else f"p = {found.p:.2g}"
            difference = GAP if found.difference is None else signed(found.difference)
            who = f"{line.label} against {baseline.label}"
            exceptions.append(f"- {who} at {PHASE_TITLES[phase]}: {difference} ({p})")
    claim = f"beats every baseline row of its base at warm-a, -b and -c with p ≤ {SIGNIFICANT}"
    if not exceptions:
        return f"Each {proposed} row {claim} ({len(pairs)} comparisons)."
    head = f"{proposed} {claim} **except in {len(exceptions)} of {len(pairs)} comparisons**"
    how = "difference of mean AUC, paired t-test with Holm's correction"
    return f"{head} ({how}):\n\n" + "\n".join(exceptions)


def mean_and_std(values: pd.Series) -> str:
    """``.7230 ± .0029``, the sample's standard deviation; a gap if there are no values."""
    if not len(values):
        return GAP
    text = number(values.mean())
    return text if len(values) == 1 else f"{text} ± {number(values.std(ddof=1))}"


def number(value: float | None) -> str:
    """``.7230``; a gap for what is missing."""
    return GAP if value is None or value != value else f"{value:.4f}".replace("0.", ".", 1)


def signed(value: float) -> str:
    """``+.0480``, ``−.0214``."""
    return f"{value:+.4f}".replace("0.", ".", 1).replace("-", "−")


def _rela_impr(line: MethodScores, base: MethodScores | None, phase: str) -> str:
    """``+3.1 ± .4 %``: from the mean AUCs, and the standard deviation over the seeds."""
    value = mean_rela_impr(line, base, phase)
    if value is None:
        return GAP
    spread = rela_impr_spread(line, base, phase)
    of_seeds = "" if spread is None else f" ± {100 * spread:.1f}"
    return f"{100 * value:+.1f}{of_seeds} %".replace("-", "−")


def escape(text: str) -> str:
    """A text as Markdown that shows it as it is."""
    return text.replace("|", r"\|").replace("_", r"\_")


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Names to the left, what follows ``runs`` and itself to the right."""
    n_names = header.index("runs") if "runs" in header else 1
    align = ["left"] * n_names + ["right"] * (len(header) - n_names)
    return tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)
