"""What the README and the docs say of methods follows from the results that are committed."""

from __future__ import annotations

import pandas as pd
import pytest

from tests import sentences
from tests.results_in_docs import PAGES, made
from tests.sentences import bare, figure, filled, is_true, untrue


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_figure_of_a_page_is_accounted_for(page):
    """Written anew by ``python -m tests.results_in_docs``."""
    text = page.read_text(encoding="utf-8")
    assert made(text) == text
    assert untrue(text) == []
    assert bare(text) == []


def scores() -> pd.DataFrame:
    aucs = {"A": [0.71, 0.72, 0.73], "B": [0.70, 0.711, 0.719], "C": [0.70, 0.73, 0.725]}
    rows = [
        {"section": "s", "panel": "", "label": label, "phase": phase, "protocol": "next_phase"}
        | {"seed": seed, "auc": auc, "updates": 2.0, "gain_low": -0.001, "gain_high": 0.002}
        for label, values in aucs.items()
        for phase in ("cold", "warm_a", "warm_b", "warm_c")
        for seed, auc in enumerate(values)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setattr(sentences, "scores_of", lambda dataset: scores())


@pytest.mark.parametrize(
    "what, shown",
    [
        ("s: A @ cold", ".7200"),
        ("s: A - B @ cold", "+.0100"),
        ("s: B - A @ warm_a", "−.0100"),
        ("abs s: B - A @ warm_a", ".0100"),
        ("p s: A - B @ cold", ".003"),
        ("low s: A @ cold", "−.0010"),
        ("updates s: A @ warm_b", "2.0"),
    ],
)
def test_a_figure(made_up, what, shown):
    assert figure(what) == shown
    text = f"so it is .1234<!-- = {what} --> there"
    assert filled(text) == f"so it is {shown}<!-- = {what} --> there"


def test_claims(made_up):
    assert is_true("s: A >> B @ all") and is_true("s: A > C @ warm") and is_true("s: A ~ C @ cold")
    wrong = ["s: B > A @ cold", "s: A >> C @ warm_a, warm_b", "s: A ~ B @ cold"]
    assert untrue(" ".join(f"<!-- true: {claim} -->" for claim in wrong)) == wrong
    with pytest.raises(AssertionError):
        figure("s: nobody @ cold")


def test_a_file(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("seen,A,B\n1,0.71,0.70\n10,0.72,0.75\n")
    monkeypatch.setattr(sentences, "DOCS", tmp_path)
    assert figure("a.csv: A @ 1") == ".7100"
    assert figure("a.csv: A - B @ 10") == "−.0300" and figure("abs a.csv: A - B @ 10") == ".0300"
    assert is_true("a.csv: A > B @ 1") and not is_true("a.csv: A > B @ 1, 10")


def test_a_figure_that_nothing_accounts_for():
    assert bare("rises to .7512 by +.0031 (p .02)") == [".7512", "+.0031"]
    made = "<!-- gains: fair, next_phase -->\n.7512\n<!-- end -->"
    assert bare(f"{made} ```\n.7512\n``` .7512<!-- = s: A @ cold --> v1.2345 0.1234") == []
