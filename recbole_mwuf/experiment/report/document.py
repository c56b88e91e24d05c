"""A benchmark's report: ``report.md``, ``report.html``, ``results.csv`` and its figures."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from recbole_mwuf.evaluator.result import PROTOCOLS
from recbole_mwuf.experiment.grid import Section
from recbole_mwuf.experiment.keys import row_key_of
from recbole_mwuf.experiment.report.below import below_base
from recbole_mwuf.experiment.report.figures import draw
from recbole_mwuf.experiment.report.html import to_html
from recbole_mwuf.experiment.report.measures import choices_table, learning_table, measures
from recbole_mwuf.experiment.report.provenance import environment, time_spent
from recbole_mwuf.experiment.report.scores import collect, lines
from recbole_mwuf.experiment.report.tables import (
    auc_table,
    flatters_table,
    in_paper,
    panel_table,
    paper_comparison,
    verdict,
)
from recbole_mwuf.experiment.run_log import read_run_log
from recbole_mwuf.experiment.runner import ResultFolder
from recbole_mwuf.files import atomic_write

GENERATED_NOTE = "**Generated data**: these figures say nothing about the real data set."
_PROTOCOLS = {
    "next_phase": "`next_phase`: each phase is scored on the next one's samples, as in the paper",
    "fixed_test": "`fixed_test`: every phase is scored on the test set",
}
_NOTES = {
    "table": "AUC, mean ± standard deviation over the runs (seeds). RelaImpr (Eq. 7, from the mean "
    "AUCs, ± standard deviation over the runs) against Wide & Deep (*to W&D*) and against the "
    "method's own base (*to base*). **Bold**: best of the phase.",
    "figure": "AUC, mean and a band of ± one standard deviation over the runs (seeds). **Bold**: "
    "best of the phase and panel.",
}
# of the method that the section proposes
_MARKS = {
    "table": r" \*: {a_proposed} row that is better than the best baseline (p ≤ .05, paired t-test "
    "over seeds, Holm's correction over the table).",
    "figure": r" \*: {proposed}, better than the panel's best baseline (p ≤ .05, paired t-test, "
    "Holm's correction over the table).",
}
_TUNED = (
    "Every row tried its default and as many drawn configurations, {trials} trials in all, on "
    "{validation_items:.0%} of the new items, with one seed; the score is the mean AUC of warm-a, "
    "-b and -c. The tables above are of the other new items."
)
_FLATTERS = (
    "AUC of *{0}* less that of *{1}*, on the same samples: what knowing the future flatters "
    "(paired t-test over seeds)."
)
_SPELT_WITH_A_VOWEL = "AEFHILMNORSX"  # letters, as in "an M"


def write_report(folder: ResultFolder, sections: list[Section]) -> bool:
    """Write the report on what a folder holds; missing runs are gaps.

    Args:
        folder: Of the grid.
        sections: What to show; all of one data set.

    Returns:
        bool: False, and nothing is written, if none of the runs is there.
    """
    keys = {row.key for section in sections for row in section.rows}
    results: dict[str, dict[int, dict]] = defaultdict(dict)
    for result in folder.results().values():
        if (key := row_key_of(result)) in keys:
            results[key][result["seed"]] = result
    if not results:
        return False
    scores = collect(sections, results)
    _write(folder.path / "results.csv", scores.to_csv(index=False))
    resolved = sections[0].rows[0].resolved
    parts = [f"# Benchmark on {resolved['dataset']}"]
    runs = [result for by_seed in results.values() for result in by_seed.values()]
    for section in sections:
        parts += section_report(section, scores, folder.path)
        if section.choices:
            told = _TUNED.format(**(section.tune or {}))
            parts += ["### What tuning chose", told, choices_table(section)]
        parts += below_base(section, results)
    run_log = read_run_log(folder.run_log)
    parts += [environment(runs, run_log), time_spent(runs, run_log)]
    text = "\n\n".join(part for part in parts if part) + "\n"
    _write(folder.path / "report.md", text)
    _write(folder.path / "report.html", to_html(text, folder.path))
    return True


def section_report(section: Section, scores: pd.DataFrame, folder: Path) -> list[str]:
    """A section's paragraphs; its figures are written to ``figures/``."""
    generated = bool(scores["generated"].iloc[0])
    note = _note(section)
    if generated:
        note = f"{GENERATED_NOTE} {note}"
    parts = [f"## {section.title}"]
    for protocol in _protocols(scores, section.name):
        rows = lines(scores, section.name, protocol)
        parts += [f"### {_PROTOCOLS[protocol]}", note]
        if section.show == "figure":
            file = f"figures/{section.name}-{protocol}.svg"
            title = section.title + (" (generated data)" if generated else "")
            draw(rows, f"{title}, {protocol}", folder / file)
            parts += [f"![{title}, {protocol}]({file})", panel_table(rows, section.proposed)]
            if section.flatters:
                told = _FLATTERS.format(*section.flatters)
                parts += [told, flatters_table(rows, section.flatters)]
        else:
            parts += [auc_table(rows, section.proposed), verdict(rows, section.proposed)]
            dataset = str(scores["dataset"].iloc[0])
            if protocol == "next_phase" and not generated and in_paper(rows, dataset):
                parts += ["The same beside the paper's Table 1:", paper_comparison(rows, dataset)]
        parts += measures(scores, section.name, protocol)
    return [*parts, "### How the rows of new items learned", learning_table(scores, section.name)]


def _protocols(scores: pd.DataFrame, section: str) -> tuple[str, ...]:
    """Those whose figures differ: along one clock the two are the same."""
    of_section = scores[scores["section"] == section]
    first, second = (
        of_section.loc[of_section["protocol"] == protocol, "auc"].to_numpy(dtype=float)
        for protocol in PROTOCOLS
    )
    return PROTOCOLS[:1] if np.array_equal(first, second, equal_nan=True) else PROTOCOLS


def _note(section: Section) -> str:
    """What the numbers and marks of a section mean."""
    if not section.proposed:
        return _NOTES[section.show]
    name = section.proposed
    vowels = _SPELT_WITH_A_VOWEL if name[:2].isupper() else "AEIOU"
    article = "an" if name[0] in vowels else "a"
    marks = _MARKS[section.show].format(proposed=name, a_proposed=f"{article} {name}")
    return _NOTES[section.show] + marks


def _write(file: Path, text: str) -> None:
    with atomic_write(file) as part:
        part.write_text(text, encoding="utf-8")
