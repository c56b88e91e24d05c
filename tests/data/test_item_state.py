"""Running figures against those that are computed from all interactions at once."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recbole_mwuf.data import ItemState


def empty(n_items=4, size=2, length=3):
    return ItemState(
        seen=np.zeros(n_items, dtype=np.int64),
        counted=np.zeros(n_items, dtype=np.int64),
        mean_users=np.zeros((n_items, size), dtype=np.float32),
        recent=np.zeros((n_items, length), dtype=np.int64),
        last_time=np.full(n_items, -np.inf),
    )


def test_histories_by_hand():
    state = empty()
    first = state.extend(np.array([2, 1, 2]), np.array([7, 8, 9]), np.array([5.0, 1.0, 4.0]))
    # item 1: user 8; item 2: user 9 at time 4, then user 7 at time 5
    assert first.users.tolist() == [8, 9, 7]
    assert (first.start.tolist(), first.end.tolist()) == ([1, 0, 1], [2, 0, 1])
    assert state.recent[1:3].tolist() == [[8, 0, 0], [9, 7, 0]]
    assert state.last_time.tolist() == [-np.inf, 1, 5, -np.inf]
    second = state.extend(np.array([2, 2]), np.array([3, 4]), np.array([6.0, 6.0]))
    assert second.users.tolist() == [9, 7, 3, 4]
    assert (second.start.tolist(), second.end.tolist()) == ([0, 0], [2, 3])
    assert state.recent[2].tolist() == [7, 3, 4]  # L = 3: the oldest is forgotten
    shown = state.ranges(np.array([2, 0, 1]))
    ranges = zip(shown.start, shown.end)
    assert [shown.users[s:e].tolist() for s, e in ranges] == [[7, 3, 4], [], [8]]


def test_running_mean_by_hand():
    state = empty()
    state.count(np.array([1, 1, 3]), torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]]))
    assert state.mean_users.tolist() == [[0, 0], [2, 1], [0, 0], [5, 5]]
    state.count(np.array([1]), torch.tensor([[5.0, 4.0]]))
    assert state.mean_users[1].tolist() == [3, 2]
    assert state.counted.tolist() == [0, 3, 0, 1]


@settings(max_examples=50, deadline=None)
@given(
    items=st.lists(st.integers(1, 3), min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    length=st.integers(0, 5),
)
def test_in_parts_as_at_once(items, cuts, length):
    """However a stream is cut, every item ends with the same users, counts and mean."""
    items = np.array(items)
    users, times = np.arange(1, len(items) + 1), np.arange(len(items), dtype=np.float64)
    embedding = torch.randn(len(items) + 1, 2, generator=torch.Generator().manual_seed(1))
    state = empty(length=length)
    bounds = sorted({0, len(items), *(min(c, len(items)) for c in cuts)})
    for start, end in zip(bounds, bounds[1:]):
        part = slice(start, end)
        before = state.extend(items[part], users[part], times[part])
        state.count(items[part], embedding[users[part]])
        for i, row in enumerate(range(start, end)):
            earlier = users[:row][items[:row] == items[row]]
            in_part = int((items[start:row] == items[row]).sum())
            kept = earlier[max(0, len(earlier) - in_part - length) :]
            assert before.users[before.start[i] : before.end[i]].tolist() == kept.tolist()
    for item in range(4):
        mine = users[items == item]
        assert state.seen[item] == state.counted[item] == len(mine)
        kept = mine[len(mine) - min(length, len(mine)) :]
        assert state.recent[item].tolist() == [*kept, *[0] * (length - len(kept))]
        if len(mine):
            mean = embedding[mine].mean(0).numpy()
            assert np.allclose(state.mean_users[item], mean, atol=1e-6)


def test_growing_keeps_what_is_known():
    state = empty()
    state.extend(np.array([1]), np.array([5]), np.array([2.0]))
    state.grow(6)
    assert state.recent[1].tolist() == [5, 0, 0]
    assert state.last_time[1:].tolist() == [2.0, *[-np.inf] * 4]
    assert state.seen.tolist() == [0, 1, 0, 0, 0, 0]
    again = ItemState.from_tensors(state.tensors())
    assert again.mean_users.shape == (6, 2)
