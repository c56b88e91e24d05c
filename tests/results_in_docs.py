"""The figures of results in the README and in docs/, from what benchmarks and examples wrote.

``python -m tests.results_in_docs`` writes them; tests compare. Besides the figures in sentences
(:mod:`tests.sentences`) there are tables, from a comment to ``<!-- end -->``:

- ``<!-- gains: SECTION[, PANEL] -->``: a section of ``results/``, or a panel of it, or the rows of
  one base; a section as in :mod:`tests.sentences`;
- ``<!-- csv: FILE -->``: a file of docs/.
"""

from __future__ import annotations

import re

import pandas as pd

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.report.intervals import own_base
from recbole_mwuf.experiment.report.scores import Comparison, MethodScores, compare, lines
from recbole_mwuf.experiment.report.tables import GAP, markdown_table, mean_and_std, number, signed
from tests.sentences import DOCS, ROOT, filled, p_value, part, scores_of

PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
GAINS = re.compile(r"<!-- gains: ([\w/-]+)(?:, (.+?))? -->\n.*?<!-- end -->", re.DOTALL)
CSV = re.compile(r"<!-- csv: ([\w.]+) -->\n.*?<!-- end -->", re.DOTALL)


def made(text: str) -> str:
    """A page with all its figures."""
    return filled(CSV.sub(_csv_block, GAINS.sub(_gains_block, text)))


def _gains_block(match: re.Match) -> str:
    section, name = match.groups()
    dataset, section, protocol, _ = part(section)
    found = lines(scores_of(dataset), section, protocol)
    of_panel = [row for row in found if name in (None, row.panel)]
    rows = of_panel or [row for row in found if name == row.base]
    head = match.group().splitlines()[0]
    assert rows, head
    return f"{head}\n{gains_table(rows)}\n<!-- end -->"


def gains_table(rows: list[MethodScores]) -> str:
    """A plain base's AUC, and a method's with its difference to its base (paired t-test)."""
    header = ["method", "runs", *(phase.replace("_", "-") for phase in PHASES)]
    table = []
    for line in rows:
        base = own_base(line, rows)
        cells = [mean_and_std(line.auc[phase]) for phase in PHASES]
        if base is not None:
            found = (compare(line, base, phase) for phase in PHASES)
            cells = [f"{cell} ({_gain(one)})" for cell, one in zip(cells, found)]
        table.append([line.label, str(line.n_runs), *cells])
    return markdown_table(header, table)


def _gain(found: Comparison) -> str:
    if found.difference is None:
        return GAP
    return f"{signed(found.difference)}, p {p_value(found.p)}"


def _csv_block(match: re.Match) -> str:
    frame = pd.read_csv(DOCS / match[1])
    rows = [
        [number(x) if isinstance(x, float) else str(x) for x in row]
        for row in frame.itertuples(index=False)
    ]
    table = markdown_table([name.replace("_", " ") for name in frame.columns], rows)
    return f"{match.group().splitlines()[0]}\n{table}\n<!-- end -->"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(made(page.read_text(encoding="utf-8")), encoding="utf-8")
