"""Why a method is below its base: each reason from the facts that a run records."""

from __future__ import annotations

import copy

import pytest

from recbole_mwuf.evaluator.diagnosis import diagnose

PHASES = ("cold", "warm_a", "warm_b", "warm_c")


def phases(*aucs):
    return {p: {"next_phase": {"auc": auc}} for p, auc in zip(PHASES, aucs)}


SOUND = {
    "model": "MWUF",
    "base": "WideDeep",
    "phases": phases(0.72, 0.73, 0.74, 0.75),
    "base_phases": phases(0.72, 0.76, 0.77, 0.78),
    "updates": {},
    "pretraining": {"loss": [0.6, 0.56, 0.55, 0.549], "rising": None},
    "split": {
        "new_items": 900,
        "rows": {"warm_a": 18000, "warm_b": 18000, "warm_c": 18000, "test": 50000},
        "positive_shares": {
            "old": 0.5,
            "warm_a": 0.45,
            "warm_b": 0.45,
            "warm_c": 0.45,
            "test": 0.5,
        },
    },
    "config": {"epochs": 1, "learning_rate": 0.001, "old_item_mean": "arithmetic"},
}


def reasons(**changes):
    result = copy.deepcopy(SOUND)
    for name, value in changes.items():
        result[name] = {**result[name], **value} if isinstance(value, dict) else value
    return diagnose(result)


def test_a_method_that_is_not_below_needs_no_reason():
    assert reasons(base_phases=phases(0.72, 0.7304, 0.74, 0.75)) == []
    assert reasons(base="MWUF") == []
    assert diagnose({**SOUND, "base_phases": None}) == []
    assert diagnose({**SOUND, "base_phases": None}, phases(0.9, 0.9, 0.9, 0.9)) != []
    undefined = reasons(base_phases=phases(None, 0.9, 0.7, 0.7), phases=phases(0.7, None, 0.7, 0.7))
    assert undefined == []


def test_it_says_where_and_admits_that_no_reason_is_visible():
    where, only = reasons()
    assert where.startswith(
        "MWUF(WideDeep) is below its base at warm-a (-0.0300), warm-b (-0.0300), warm-c (-0.0300)"
    )
    assert "none of the usual reasons" in only


@pytest.mark.parametrize(
    "pretraining, said",
    [
        ({"loss": [0.6, 0.58, 0.56, 0.55]}, "its loss fell from 0.5600 to 0.5500"),
        ({"loss": [0.6, 0.58, 0.56, 0.5573]}, ""),
        ({"rising": True}, "was still rising"),
        ({"rising": False, "loss": [0.6, 0.58, 0.56, 0.55]}, ""),
        ({"loss": []}, ""),
    ],
)
def test_an_under_trained_base(pretraining, said):
    text = " ".join(reasons(pretraining=pretraining)[1:])
    assert ("under-trained" in text and "--epochs=2" in text) is bool(said)
    assert said in text


def test_step_size_by_the_way_the_auc_goes():
    updates = {"warm_a": 20.0, "warm_b": 20.0, "warm_c": 21.5}
    slow = reasons(updates=updates)[1]
    assert "20.5 updates" in slow and "--warm_up_learning_rate=0.004" in slow
    falling = reasons(updates=updates, phases=phases(0.72, 0.74, 0.73, 0.75))[1]
    assert "falls from one phase to the next" in falling and "=0.00025" in falling
    own_rate = reasons(updates=updates, config={"warm_up_learning_rate": 0.1})[1]
    assert "=0.4" in own_rate


def test_label_balance_and_items():
    shares = {"positive_shares": {**SOUND["split"]["positive_shares"], "warm_b": 0.39}}
    assert "label balance: 39% of the samples of warm-b" in reasons(split=shares)[1]
    assert "few new items: 55" in reasons(split={"new_items": 55})[1]
    rows = {"rows": {**SOUND["split"]["rows"], "warm_c": 1000}}
    assert "few samples: warm-c has 450 of the rarer label" in reasons(split=rows)[1]


def test_a_start_that_is_worse():
    cold = {"phases": phases(0.70, 0.77, 0.78, 0.79)}
    assert "below before any sample" in reasons(**cold)[1]
    afn = reasons(base="AFN", config={"mwuf_variant": "full"})[1]
    assert "--old_item_mean=geometric" in afn
    mended = reasons(base="AFN", config={"mwuf_variant": "full", "old_item_mean": "geometric"})
    assert "geometric" not in mended[1]
