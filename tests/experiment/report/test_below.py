"""The report names methods that are below their base, from the means over common seeds."""

from __future__ import annotations

import pytest

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.grid import Row, Section
from recbole_mwuf.experiment.report.below import below_base


def row(label: str, model: str) -> Row:
    return Row(label, "", {}, {"model": model, "base": "FM", "dataset": "tiny", "label": label})


def run(model: str, auc: float, **more: object) -> dict:
    return {
        "model": model,
        "base": "FM",
        "phases": {phase: {"next_phase": {"auc": auc}} for phase in PHASES},
        "split": {
            "new_items": 55,
            "rows": dict.fromkeys(("warm_a", "warm_b", "warm_c", "test"), 9),
        },
        "config": {"epochs": 1, "learning_rate": 0.001},
        **more,
    }


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(Row, "key", property(lambda self: self.label))
    return [row("FM", "FM"), row("one_method", "MWUF"), row("other", "MetaEmb")]


def test_means_over_common_seeds(rows):
    trained = {"loss": [0.6, 0.6, 0.6, 0.5], "rising": None}
    results = {
        "FM": {1: run("FM", 0.7), 2: run("FM", 0.8, pretraining=trained)},
        "one_method": {1: run("MWUF", 0.72), 2: run("MWUF", 0.72), 3: run("MWUF", 0.9)},
        "other": {1: run("MetaEmb", 0.75), 2: run("MetaEmb", 0.78)},
    }
    head, found = below_base(Section("grid", "", "table", rows), results)
    assert "Below their base" in head
    name, *reasons = found.splitlines()
    # .72 less the mean of .7 and .8
    assert name.startswith(r"- one\_method is below its base at cold (-0.0300), warm-a (-0.0300)")
    assert any("under-trained" in reason for reason in reasons)  # as a run of the base has told
    assert any("few new items: 55" in reason for reason in reasons)
    assert all(reason.startswith("    - ") for reason in reasons)


def test_nothing_to_say(rows):
    section = Section("grid", "", "table", rows)
    assert below_base(section, {"FM": {1: run("FM", 0.7)}, "other": {2: run("MetaEmb", 0.1)}}) == []
    assert below_base(section, {"FM": {1: run("FM", 0.7)}, "other": {1: run("MetaEmb", 0.7)}}) == []
