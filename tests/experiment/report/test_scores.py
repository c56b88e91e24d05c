"""Statistics against figures worked out by hand, and against scipy."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.grid import Row, Section
from recbole_mwuf.experiment.report.intervals import own_base
from recbole_mwuf.experiment.report.scores import (
    MethodScores,
    best,
    collect,
    compare,
    lines,
    mean_rela_impr,
    read_scores,
    treatment,
)


def line(label, *auc, model="MWUF", base="WideDeep", panel="", seeds=None):
    """A line with the same AUC by seed at every phase."""
    values = pd.Series(auc, index=seeds or range(1, len(auc) + 1), dtype=float)
    return MethodScores(panel, label, model, base, dict.fromkeys(PHASES, values))


def test_rela_impr_by_hand():
    """From the mean AUCs .75 and .675, as the paper's table: .25 / .175 - 1 = .4286."""
    found = mean_rela_impr(line("a", 0.8, 0.7), line("b", 0.6, 0.75), "cold")
    assert found == pytest.approx(3 / 7)


def test_rela_impr_over_common_seeds_only():
    first, second = line("a", 0.8, 0.7), line("b", 0.9, 0.6, seeds=[0, 1])
    assert mean_rela_impr(first, second, "cold") == pytest.approx(2)
    assert mean_rela_impr(first, line("b", 0.6, seeds=[9]), "cold") is None
    assert mean_rela_impr(first, None, "cold") is None
    assert mean_rela_impr(first, first, "cold") is None


def test_rela_impr_of_the_papers_table():
    """Section 4.4 of the paper: MWUF(Wide & Deep) on ML-1M gains 38.3 % at cold."""
    assert mean_rela_impr(line("a", 0.6339), line("b", 0.5968), "cold") == pytest.approx(
        0.383, abs=5e-4
    )


def test_paired_t_test_by_hand():
    """Differences .01 .02 .03: mean .02, sd .01, t = .02 / (.01 / sqrt 3) = 3.464, 2 degrees.

    With 2 degrees of freedom the two-sided p is 1 - t / sqrt(t² + 2) = 1 - 3.4641 / sqrt(14).
    """
    found = compare(line("a", 0.71, 0.73, 0.74), line("b", 0.70, 0.71, 0.71), "cold")
    assert found.difference == pytest.approx(0.02)
    assert found.p == pytest.approx(1 - math.sqrt(12) / math.sqrt(14))
    assert not found.is_better  # p = .074


def test_paired_t_test_against_scipy():
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.normal(0.7, 0.01, 10), rng.normal(0.69, 0.01, 10)
        found = compare(line("a", *a), line("b", *b), "warm_a")
        expected = stats.ttest_rel(a, b)
        assert found.p == pytest.approx(expected.pvalue)
        assert found.difference == pytest.approx((a - b).mean())
        assert found.is_better == (expected.pvalue <= 0.05 and expected.statistic > 0)


def test_runs_are_paired_by_seed():
    """The values of the test by hand, the second ones from the last seed to the first."""
    first = line("a", 0.71, 0.73, 0.74, seeds=[1, 2, 3])
    second = line("b", 0.71, 0.71, 0.70, seeds=[3, 2, 1])
    assert compare(first, second, "cold").p == pytest.approx(1 - math.sqrt(12 / 14))
    assert compare(first, line("b", 0.7, seeds=[2]), "cold").p is None
    assert compare(first, line("b", 0.7, seeds=[7]), "cold").difference is None


def test_best_and_own_base():
    plain = line("DIN", 0.7, 0.72, model="DIN", base="DIN", panel="x")
    other = line("DIN", 0.9, model="DIN", base="DIN", panel="y")
    method = line("MWUF(DIN)", 0.71, 0.74, base="DIN", panel="x")
    missing = line("AFN", model="AFN", base="AFN")
    assert own_base(method, [missing, other, plain, method]) is plain
    assert own_base(plain, [plain, other]) is None
    assert best([missing, plain, method], "cold") is method
    assert best([missing], "cold") is None


def result(value):
    return {
        "phases": {
            phase: {name: {"auc": value, "logloss": 0.5} for name in ("next_phase", "fixed_test")}
            for phase in PHASES
        }
    }


def rows():
    """A plain base and a method, whose resolved settings name what a report reads of them."""
    common = {"dataset": "tiny", "generated_data": False, "base": "FM", "seed": 1}
    common |= {"warm_up_optimizer": "fresh", "warm_up_rows": "dense", "learning_rate": 0.001}
    common |= {"warm_up_learning_rate": None, "warm_up_epochs": 2}
    return [
        Row("FM", "", {}, {**common, "model": "FM"}),
        Row("MWUF(FM)", "", {"mwuf_variant": "init"}, {**common, "model": "MWUF"}),
    ]


def test_what_is_missing_stays_a_gap_through_the_csv():
    plain, method = rows()
    found = {plain.key: {1: result(0.7), 2: result(0.8)}, method.key: {2: result(0.9)}}
    scores = collect([Section("table1", "T", "table", [plain, method])], found)
    assert len(scores) == 2 * 2 * 2 * 4  # rows, seeds, protocols, phases
    scores.to_csv("results.csv", index=False)
    back = read_scores(Path("results.csv"))
    pd.testing.assert_frame_equal(back, scores.astype(back.dtypes))
    first, second = lines(back, "table1", "fixed_test")
    assert first.auc["warm_b"].to_dict() == {1: 0.7, 2: 0.8}
    assert second.auc["warm_b"].to_dict() == {2: 0.9}
    assert (first.n_runs, second.n_runs) == (2, 1)
    assert (first.is_plain, second.is_plain) == (True, False)
    empty = collect([Section("table1", "T", "table", [plain, method])], {plain.key: {1: result(1)}})
    assert lines(empty, "table1", "next_phase")[1].n_runs == 0


def test_the_treatment_of_rows_is_named():
    plain, method = rows()
    assert treatment(plain) == "fresh, dense, lr 0.001, 2 epoch(s)"
    own = {**method.resolved, "warm_up_learning_rate": 0.004}
    assert treatment(Row("x", "", {}, own)) == "fresh, dense, lr 0.004, 2 epoch(s)"
    melu = {**method.resolved, "model": "MeLU"}
    assert treatment(Row("x", "", {}, melu)) == "no rows learn by steps"
