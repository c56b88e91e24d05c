import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recbole_mwuf.data import PHASES, SETS, InteractionHistory, cold_start_split
from recbole_mwuf.errors import UserError


def hand_worked():
    # item 0 is old (users 1, 2, 3, 1 in time order), item 1 new (users 9, 8, 7, 6)
    items = np.array([1, 1, 0, 0, 1, 0, 0, 1, 0])
    times = np.array([4, 1, 3, 1, 2, 2, 4, 3, 5])
    users = np.array([6, 9, 3, 1, 8, 2, 1, 7, 5])
    labels = np.array([1, 0, 1, 1, 1, 0, 0, 1, 1])
    split = cold_start_split(items, times, old_item_threshold=4, phase_size=1)
    return InteractionHistory(split, users, labels), split


def users_of(history, phase, item, **kwargs):
    users, offsets = history.bags(phase, **kwargs)
    return users[slice(offsets[item], [*offsets, len(users)][item + 1])].tolist()


def test_interacted_users_grow_with_the_phases():
    history, _ = hand_worked()
    assert [users_of(history, phase, 1) for phase in PHASES] == [[], [9], [9, 8], [9, 8, 7]]
    for phase in PHASES:
        assert users_of(history, phase, 0) == [1, 2, 3, 1, 5]
    assert users_of(history, "warm_c", 1, positive_only=True) == [8, 7]
    assert users_of(history, "warm_a", 1, positive_only=True) == []


def test_training_sees_strictly_earlier_users():
    history, _ = hand_worked()
    end = history.before(np.array([0, 8, 3]))
    start = history.first[np.array([1, 0, 0])]
    seen = [history.users[a:b].tolist() for a, b in zip(start, end)]
    assert seen == [[9, 8, 7], [1, 2, 3, 1], []]


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 6)), min_size=8, max_size=60
    ),
    threshold=st.integers(4, 20),
    size=st.integers(1, 3),
)
def test_nobody_sees_the_future(rows, threshold, size):
    items, _, times = np.array(rows).T
    try:
        split = cold_start_split(items, times, threshold, size)
    except UserError:
        return
    # tag every row with a user of its own: what a range holds can then be traced to rows
    history = InteractionHistory(split, np.arange(len(rows)), np.ones(len(rows)))
    moment = list(zip(times, range(len(rows))))
    for row, end in enumerate(history.before(np.arange(len(rows)))):
        seen = history.users[history.first[items[row]] : end]
        assert {int(r) for r in seen} == {
            r for r in range(len(rows)) if items[r] == items[row] and moment[r] < moment[row]
        }
    for phase, name in zip(PHASES, SETS[1:]):  # what each phase scores, and what it may know
        end = history.seen(phase)
        for row in split.rows(name):
            seen = history.users[history.first[items[row]] : end[items[row]]]
            assert len(seen) == PHASES.index(phase) * size
            assert all(items[r] == items[row] and moment[r] < moment[row] for r in seen)
        unseen = np.isin(split.set_of_row, range(PHASES.index(phase) + 1, 5))
        assert not np.isin(history.bags(phase)[0], np.flatnonzero(unseen)).any()
