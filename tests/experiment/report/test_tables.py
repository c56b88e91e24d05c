"""Tables, cell by cell, from figures worked out by hand."""

import pandas as pd
import pytest

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.report.scores import MethodScores
from recbole_mwuf.experiment.report.tables import (
    auc_table,
    in_paper,
    mean_and_std,
    panel_table,
    paper_comparison,
    paper_table,
    verdict,
)


def line(label, model, base, by_phase, panel=""):
    """A line from the AUC by seed of every phase."""
    auc = {phase: pd.Series(values, dtype=float) for phase, values in zip(PHASES, by_phase)}
    return MethodScores(panel, label, model, base, auc)


def cells(table: str) -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in table.splitlines()]
    return [[cell.strip() for cell in row] for row in rows]


@pytest.fixture
def rows():
    """MWUF beats its base clearly at warm-a, by chance at warm-b, and not at cold and warm-c."""
    base = [[0.6, 0.7, 0.8], [0.60, 0.61, 0.62], [0.60, 0.61, 0.62], [0.70, 0.71, 0.72]]
    mwuf = [[0.6, 0.6, 0.6], [0.70, 0.71, 0.721], [0.60, 0.67, 0.62], [0.69, 0.70, 0.70]]
    return [
        line("WideDeep", "WideDeep", "WideDeep", base),
        line("MetaEmb", "MetaEmb", "WideDeep", [[0.62] * 3] * 4),
        line("AFN", "AFN", "AFN", [[]] * 4),
        line("MWUF(WideDeep)", "MWUF", "WideDeep", mwuf),
    ]


def test_table1(rows):
    header, _, wide_deep, meta_emb, afn, mwuf = cells(auc_table(rows, "MWUF"))
    assert header == ["method", "runs", *[x for p in PHASES for x in (p.replace("_", "-"), "to W&D", "to base")]]  # fmt: skip  # noqa: E501
    assert wide_deep[:5] == ["WideDeep", "3", "**.7000 ± .1000**", "–", "–"]
    # MetaEmb at cold: .12 / .2 - 1
    assert meta_emb[2:5] == [".6200 ± .0000", "−40.0%", "−40.0%"]
    assert afn == ["AFN", "0", *["–"] * 12]
    # .21033 / .11 - 1; .08, .09, .101 above MetaEmb: p = .0045, and four such tests
    assert mwuf[5:8] == [r"**.7103 ± .0105**\*", "+91.2%", "+91.2%"]
    assert mwuf[8] == "**.6300 ± .0361**"  # the best, but p > .05
    assert mwuf[11] == ".6967 ± .0058"


def test_verdict_lists_what_is_not_beaten(rows):
    head, _, *exceptions = verdict(rows, "MWUF").splitlines()
    assert "except in 3 of 6 comparisons" in head
    assert [text.split(":")[0] for text in exceptions] == [
        "- MWUF(WideDeep) against WideDeep at warm-b",
        "- MWUF(WideDeep) against WideDeep at warm-c",
        "- MWUF(WideDeep) against MetaEmb at warm-b",
    ]
    # differences -.01, -.01, -.02: t = -.01333 / (.005774 / sqrt 3) = -4 and
    # p = 1 - 4 / sqrt 18 = .057; three of the six are clearer, so Holm's factor is 3
    assert "−.0133 (p = 0.17)" in exceptions[1]


def test_verdict_where_all_is_beaten_or_nothing_is_there(rows):
    weak = line("WideDeep", "WideDeep", "WideDeep", [[0.5, 0.51, 0.52]] * 4)
    strong = line("MWUF(WideDeep)", "MWUF", "WideDeep", [[0.7, 0.72, 0.73]] * 4)
    assert verdict([weak, strong], "MWUF") == (
        "Each MWUF row beats every baseline row of its base at warm-a, -b and -c with p ≤ 0.05 "
        "(3 comparisons)."
    )
    assert verdict([weak], "MWUF") == ""
    missing = line("MWUF(WideDeep)", "MWUF", "WideDeep", [[]] * 4)
    assert "at warm-a: – (not tested)" in verdict([weak, missing], "MWUF")


def test_a_panel_is_marked_by_itself():
    rows = [
        line("DIN", "DIN", "DIN", [[0.6, 0.61]] * 4, panel="DIN"),
        line("MWUF(DIN)", "MWUF", "DIN", [[0.65, 0.66001]] * 4, panel="DIN"),
        line("PNN", "PNN", "PNN", [[0.9, 0.91]] * 4, panel="PNN"),
    ]
    table = cells(panel_table(rows, "MWUF"))
    assert table[0] == ["base", "method", "runs", "cold", "warm-a", "warm-b", "warm-c"]
    assert table[3][:4] == ["DIN", "MWUF(DIN)", "2", r"**.6550 ± .0071**\*"]
    assert table[4][3] == "**.9050 ± .0071**"


def test_beside_the_paper(rows):
    named = [rows[0], rows[1], rows[3]]
    assert in_paper(named, "ml-1m")
    assert not in_paper(named, "ml-100k")
    assert not in_paper([line("MWUF(DIN)", "MWUF", "DIN", [[]] * 4)], "ml-1m")
    table = cells(paper_comparison(rows, "ml-1m"))
    assert table[2][1:4] == [".7000", ".5968", "+.1032"]  # Wide & Deep, cold
    assert table[4][1:4] == ["–", ".5862", "–"]  # AFN has no run
    assert table[5][10:] == [".6967", ".7273", "−.0306"]  # MWUF, warm-c


def test_the_papers_table_is_whole():
    paper = paper_table()
    assert paper.shape == (39, 4)
    assert paper.loc[("cikm2019", "MWUF(AFN)")].tolist() == [0.6741, 0.7126, 0.7320, 0.7556]
    assert ((paper > 0.5) & (paper < 0.8)).all(axis=None)


def test_mean_and_std():
    assert mean_and_std(pd.Series([0.6, 0.7, 0.8])) == ".7000 ± .1000"  # the sample's: n - 1
    assert mean_and_std(pd.Series([0.7])) == ".7000"
    assert mean_and_std(pd.Series([], dtype=float)) == "–"
