"""The clock: at any moment nothing is known that comes later, of anyone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recbole_mwuf.data import PHASES, InteractionHistory, ItemTaskLoader, cold_start_split
from recbole_mwuf.data.clock import ticks
from recbole_mwuf.errors import UserError

N, K = 4, 1


def split_of(items, times, cut):
    return cold_start_split(items, times, N, K, timeline_cut=cut)


def test_a_timeline_by_hand():
    """Item 0 is old by its five rows before T = 6; item 1 begins at 6; item 2 straddles."""
    items = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 2, 2])
    times = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 5, 12])
    split = split_of(items, times, 6 / 12)
    assert split.cut == 6
    assert split.is_old.tolist() == [True, False, False]
    assert split.is_new.tolist() == [False, True, False]
    # the old item's row after T is not used
    assert split.set_of_row.tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4, 4, -1, -1, -1]
    history = InteractionHistory(split, np.arange(13), np.ones(13))
    assert (history.seen("cold") - history.first).tolist() == [5, 0, 0]
    assert history.known_rows("cold").tolist() == [0, 1, 2, 3, 4]


def test_a_base_that_knows_the_future_is_scored_on_the_same():
    items = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 2, 2])
    times = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 5, 12])
    split = cold_start_split(items, times, N, K, timeline_cut=6 / 12, timeline_future=True)
    assert split.cut == 6 and split.is_old.tolist() == [True, False, False]
    # as without it, but for the old item's row after T
    assert split.set_of_row.tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4, 4, 0, -1, -1]
    assert split.n_known.tolist() == [6, 0, 0]


def test_without_new_items_the_cut_is_named():
    items, times = np.repeat([0, 1], 10), np.tile(np.arange(10), 2)
    with pytest.raises(UserError, match="new items"):
        split_of(items, times, 0.5)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_nobody_knows_the_future(data):
    n = data.draw(st.integers(30, 120))
    items = np.array(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)))
    born = np.array(data.draw(st.lists(st.integers(0, 40), min_size=7, max_size=7)))
    ages = np.array(data.draw(st.lists(st.integers(0, 40), min_size=n, max_size=n)))
    times = born[items] + ages
    try:
        split = split_of(items, times, data.draw(st.sampled_from([0.2, 0.5, 0.7])))
    except UserError:
        assume(False)
    history = InteractionHistory(split, np.zeros(n), np.zeros(n))
    dataset = SimpleNamespace(split=split, history=history, times=times.astype(float))
    old_rows = split.rows("old")
    assert (times[old_rows] < split.cut).all()
    new_rows = np.flatnonzero(split.set_of_row > 0)
    assert (times[new_rows] >= split.cut).all()

    drawn = SimpleNamespace(split=split, config={"device": "cpu"}, batch=lambda rows: rows)
    for rows in ItemTaskLoader(drawn, 4 * K, seed=1):  # what MetaEmb's generator learns from
        assert (times[rows] < split.cut).all() and split.is_old[items[rows]].all()

    learned, scored = [], []
    for tick in ticks(dataset, data.draw(st.integers(1, 12))):
        # what is known at this moment, U(v) and histories included, is earlier than what comes
        known = history.known_rows(tick.name)
        assert len(tick.scored)
        assert times[known].max() < times[tick.scored].min()
        assert set(tick.learned) <= set(known)
        learned += tick.learned.tolist()
        assert set(known) == set(old_rows) | set(learned)
        for row, phase in zip(tick.scored, tick.phase):
            of_item = [r for r in learned if items[r] == items[row]]
            assert len(of_item) == phase * K and phase < len(PHASES)
        scored += tick.scored.tolist()
    assert sorted(scored) == new_rows.tolist()  # each once
    assert len(set(learned)) == len(learned)
