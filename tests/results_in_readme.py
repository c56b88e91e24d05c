"""The README's table and figure of results, from what a benchmark wrote.

``python -m tests.results_in_readme results/ml-1m`` writes them into the README; a test compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from recbole_mwuf.benchmark.grid import presets
from recbole_mwuf.report.scores import lines, read_scores
from recbole_mwuf.report.tables import panel_table

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- results -->\n(.*?)<!-- end -->", re.DOTALL)


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
            panel_table(rows),
            f"![{presets()['figure2']['title']}]({figure})",
        ]
    )


def shown_block() -> tuple[str, str]:
    """What the README shows, and the folder that it is from."""
    (block,) = BLOCK.findall(README.read_text(encoding="utf-8"))
    return block.rstrip("\n"), re.findall(r"\((results/.+?)/report.md\)", block)[0]


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    block = f"<!-- results -->\n{results_block(sys.argv[1])}\n<!-- end -->"
    README.write_text(BLOCK.sub(lambda _: block, text), encoding="utf-8")
