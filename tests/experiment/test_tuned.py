"""Rows tuned with the same budget on items that no table reports."""

from __future__ import annotations

import pytest

from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.space import draw, method_space, rows_space
from recbole_mwuf.experiment.tuned import Choice, choose, score, trials, tuned

TUNE = {"trials": 4, "validation_items": 0.4}
METHODS = ["MWUF", "MetaEmb", "DropoutNet"]


@pytest.fixture
def section(builder):
    return builder.own(["MWUF", "MetaEmb"], ["WideDeep"])


def test_the_same_budget_and_the_same_rows_space_for_all(builder, section):
    jobs = {row.label: trials(builder, row, TUNE, 7) for row in section.rows}
    assert [len(of_row) for of_row in jobs.values()] == [4, 4, 4]
    for of_row in jobs.values():
        assert all(job.settings["score_validation"] for job in of_row)
        assert not set(of_row[0].settings) & set(rows_space())  # the default comes first
        assert all(set(rows_space()) <= set(job.settings) for job in of_row[1:])
    assert {job.seed for of_row in jobs.values() for job in of_row} == {7}
    for method in METHODS:
        assert set(rows_space()) < set(method_space(method))
    # the base is not tuned, so the methods on it share it
    assert len({job.base_key for of_row in jobs.values() for job in of_row}) == 1


def test_more_trials_begin_with_the_same_ones():
    assert draw(method_space("MWUF"), 5, 1)[:3] == draw(method_space("MWUF"), 3, 1)
    assert draw(method_space("MWUF"), 3, 1) != draw(method_space("MWUF"), 3, 2)


def result(*aucs):
    phases = ("cold", "warm_a", "warm_b", "warm_c")
    return {"phases": {p: {"next_phase": {"auc": auc}} for p, auc in zip(phases, aucs)}}


def test_the_best_configuration_is_chosen(builder, section):
    row = section.rows[0]
    jobs = trials(builder, row, TUNE, 7)
    results = {job.key: result(0.9, 0.5 + i % 3, 0.5, 0.5) for i, job in enumerate(jobs)}
    found = choose(jobs, results, row)
    assert set(found.params) == set(rows_space())
    assert found.params == {n: jobs[2].settings[n] for n in rows_space()}
    assert (found.score, found.default, found.n_trials) == (pytest.approx(3.5 / 3), 0.5, 4)
    del results[jobs[2].key]
    assert choose(jobs, results, row).n_trials == 3
    best_default = {jobs[0].key: result(0.1, 0.9, 0.9, 0.9), jobs[1].key: result(1, 0.9, 0.9, 0.9)}
    assert choose(jobs, best_default, row).params == {}
    with pytest.raises(UserError, match="no trial has a result"):
        choose(jobs, {}, row)


def test_an_undefined_score_loses(builder, section):
    assert score(result(None, 0.5, 0.5, 0.5)) == pytest.approx(0.5)
    undefined = result(0.9, 0.5, None, 0.5)
    assert score(undefined) is None
    row = section.rows[0]
    jobs = trials(builder, row, TUNE, 7)
    results = {jobs[0].key: undefined, jobs[1].key: result(0.1, 0.1, 0.1, 0.1)}
    found = choose(jobs, results, row)
    assert (found.default, found.score, found.n_trials) == (None, pytest.approx(0.1), 1)
    del results[jobs[1].key]
    with pytest.raises(UserError, match=r"validation_items=0\.4 of the new items have too few"):
        choose(jobs, results, row)


def test_what_is_tuned_on_is_not_reported(builder, section, make):
    choices = {row.label: Choice({"warm_up_epochs": 2}, 0.7, 0.6, 4) for row in section.rows}
    final = tuned(builder, section, choices, TUNE)
    assert all(row.resolved["warm_up_epochs"] == 2 for row in final.rows)
    trial = trials(builder, section.rows[0], TUNE, 1)[0]
    sets = [
        ColdStartDataset(make(**settings)[0]).split.is_new
        for settings in (trial.settings, final.rows[0].given)
    ]
    assert sets[0].any() and sets[1].any() and not (sets[0] & sets[1]).any()
