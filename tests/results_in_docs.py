"""The tables and the figure of results in the README and in docs/, from what a benchmark wrote.

``python -m tests.results_in_docs results/ml-1m`` writes them; a test compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.grid import presets
from recbole_mwuf.experiment.report.scores import (
    MethodScores,
    compare,
    lines,
    own_base,
    read_scores,
)
from recbole_mwuf.experiment.report.tables import markdown_table, mean_and_std, panel_table, signed

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REPRODUCTION = ROOT / "docs" / "reproduction.md"
BLOCK = re.compile(r"<!-- results -->\n(.*?)<!-- end -->", re.DOTALL)
GAINS = re.compile(r"<!-- gains: (\w+), (\w+)(?:, (.+?))? -->\n.*?<!-- end -->", re.DOTALL)


def results_block(folder: str) -> str:
    """Table 1's AUC and Figure 2 of a folder such as ``results/ml-1m``."""
    scores = read_scores(ROOT / folder / "results.csv")
    rows = lines(scores, "table1", "next_phase")
    dataset = scores["dataset"].iloc[0]
    figure = f"{folder}/figures/figure2-next_phase.svg"
    assert (ROOT / figure).is_file(), figure
    return "\n\n".join(
        [
            f"AUC on {dataset} (`next_phase`), mean ± standard deviation over the runs. **Bold**: "
            r"best; \*: better than the best baseline (p ≤ .05, paired t-test). More in "
            f"[{folder}/report.md]({folder}/report.md).",
            panel_table(rows, presets()["table1"]["proposed"]),
            f"![{presets()['figure2']['title']}]({figure})",
        ]
    )


def shown_block() -> tuple[str, str]:
    """What the README shows, and the folder that it is from."""
    (block,) = BLOCK.findall(README.read_text(encoding="utf-8"))
    return block.rstrip("\n"), re.findall(r"\((results/.+?)/report.md\)", block)[0]


def with_gains(text: str, folder: str) -> str:
    """A text whose blocks ``<!-- gains: SECTION, PROTOCOL[, PANEL] -->`` hold their tables."""
    scores = read_scores(ROOT / folder / "results.csv")

    def block(match: re.Match) -> str:
        section, protocol, panel = match.groups()
        rows = [x for x in lines(scores, section, protocol) if panel in (None, x.panel)]
        head = match.group().splitlines()[0]
        assert rows, head
        return f"{head}\n{gains_table(rows)}\n<!-- end -->"

    return GAINS.sub(block, text)


def gains_table(rows: list[MethodScores]) -> str:
    """A plain base's AUC, and a method's with its difference to its base (paired t-test)."""
    header = ["method", "runs", *(phase.replace("_", "-") for phase in PHASES)]
    table = []
    for line in rows:
        base = own_base(line, rows)
        cells = [mean_and_std(line.auc[phase]) for phase in PHASES]
        if base is not None:
            found = (compare(line, base, phase) for phase in PHASES)
            gains = (f"{signed(c.difference)}, p {_p_value(c.p)}" for c in found)
            cells = [f"{cell} ({gain})" for cell, gain in zip(cells, gains)]
        table.append([line.label, str(line.n_runs), *cells])
    return markdown_table(header, table)


def _p_value(p: float) -> str:
    """``.02``, ``2e-5``."""
    return f"{p:.1g}".replace("0.", ".") if p >= 1e-3 else f"{p:.0e}".replace("e-0", "e-")


if __name__ == "__main__":
    folder = sys.argv[1]
    block = f"<!-- results -->\n{results_block(folder)}\n<!-- end -->"
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda _: block, text), encoding="utf-8")
    text = REPRODUCTION.read_text(encoding="utf-8")
    REPRODUCTION.write_text(with_gains(text, folder), encoding="utf-8")
