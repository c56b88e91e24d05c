import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recbole_mwuf.data import SETS, cold_start_split
from recbole_mwuf.errors import UserError


def test_hand_worked_split():
    # item 0: 6 rows, old (> 5); item 1: 5 rows, new (3 < 5 <= 5); item 2: 3 rows, left out
    items = np.array([1, 0, 1, 2, 0, 1, 0, 0, 1, 2, 0, 1, 0, 2])
    times = np.array([50, 1, 10, 1, 2, 30, 3, 4, 40, 2, 5, 20, 6, 3])
    split = cold_start_split(items, times, old_item_threshold=5, phase_size=1)
    names = [SETS[s] if s >= 0 else "-" for s in split.set_of_row]
    # item 1 in time order: row 2 (10), row 11 (20), row 5 (30), rows 8 and 0 (40, 50)
    assert names == [
        *("test", "old", "warm_a", "-", "old", "warm_c", "old"),
        *("old", "test", "-", "old", "warm_b", "old", "-"),
    ]
    assert split.counts() == {
        "old_items": 1,
        "new_items": 1,
        "rows": {"old": 6, "warm_a": 1, "warm_b": 1, "warm_c": 1, "test": 2},
    }


def test_thresholds_are_the_papers():
    counts = {0: 21, 1: 20, 2: 10, 3: 9}  # N = 20, K = 3: old, new, new, left out
    items = np.repeat(list(counts), list(counts.values()))
    split = cold_start_split(items, np.arange(len(items)), 20, 3, n_items=6)
    assert split.is_old.tolist() == [True, False, False, False, False, False]
    assert split.is_new.tolist() == [False, True, True, False, False, False]


def test_ties_in_time_follow_the_rows():
    items = np.array([0] * 9 + [1] * 10)
    split = cold_start_split(items, np.zeros(19), old_item_threshold=9, phase_size=2)
    expected = ["warm_a"] * 2 + ["warm_b"] * 2 + ["warm_c"] * 2 + ["test"] * 3
    assert [SETS[s] for s in split.set_of_row[:9]] == expected


def test_seconds_are_told_apart():
    # 32-bit floats cannot: 956703932 and 956703933 would be a tie
    times = np.array([956703935, 956703933, 956703934, 956703932, 1, 2, 3, 4, 5], dtype=np.float64)
    split = cold_start_split(np.array([0] * 4 + [1] * 5), times, 4, 1)
    assert [SETS[s] for s in split.set_of_row[:4]] == ["test", "warm_b", "warm_c", "warm_a"]


@settings(deadline=None)  # a busy machine is no error
@given(
    counts=st.lists(st.integers(0, 40), min_size=2, max_size=12),
    threshold=st.integers(1, 30),
    size=st.integers(1, 8),
    seed=st.integers(0, 9),
)
def test_invariants(counts, threshold, size, seed):
    rng = np.random.default_rng(seed)
    items = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    times = rng.integers(0, 20, len(items))
    try:
        split = cold_start_split(items, times, threshold, size, len(counts))
    except UserError:
        rows = np.array(counts)
        assert not ((rows > threshold).any() and ((rows > 3 * size) & (rows <= threshold)).any())
        return
    for item, count in enumerate(counts):
        sets = split.set_of_row[items == item]
        if count > threshold:
            assert (sets == 0).all()
        elif count > 3 * size:
            assert [int((sets == s).sum()) for s in (1, 2, 3)] == [size] * 3
            assert (sets == 4).sum() == count - 3 * size
            when = times[items == item]
            for earlier, later in ((1, 2), (2, 3), (3, 4)):  # a later set never starts earlier
                assert when[sets == earlier].max() <= when[sets == later].min()
        else:
            assert (sets == -1).all()


def test_no_new_items_names_values_that_work():
    items = np.repeat(np.arange(50), np.arange(1, 51))
    with pytest.raises(UserError, match="no new items") as error:
        cold_start_split(items, np.arange(len(items)), old_item_threshold=2, phase_size=20)
    words = dict(w[2:].split("=") for w in str(error.value).split() if w.startswith("--"))
    split = cold_start_split(items, items, *(int(words[k]) for k in words))
    assert split.is_old.any() and split.is_new.any()


def test_no_old_items_and_no_way_out():
    with pytest.raises(UserError, match="No N and K fit this data"):
        cold_start_split(np.array([0, 1, 2]), np.arange(3), 200, 20)


@pytest.mark.parametrize("value", [0, -1, 2.5, None, "20", True])
def test_sizes_must_be_whole_numbers(value):
    with pytest.raises(UserError, match="phase_size"):
        cold_start_split(np.array([0]), np.array([0]), 200, value)


def test_missing_times_are_refused():
    with pytest.raises(UserError, match="time"):
        cold_start_split(np.array([0, 0]), np.array([1.0, np.nan]), 2, 1)


def test_held_out_items():
    counts = {0: 21, **dict.fromkeys(range(1, 11), 12), 11: 5}  # N = 20, K = 3: ten new items
    items = np.repeat(list(counts), list(counts.values()))
    times = np.arange(len(items))[::-1]
    whole = cold_start_split(items, times, 20, 3)
    report = cold_start_split(items, times, 20, 3, None, 0.3)
    tune = cold_start_split(items, times, 20, 3, None, 0.3, score_validation=True)
    assert not whole.is_validation.any()
    assert report.is_validation.sum() == 3
    assert (report.is_validation == tune.is_validation).all()
    assert (tune.is_new == tune.is_validation).all()
    assert (report.is_new ^ tune.is_new).tolist() == whole.is_new.tolist()  # each item in one
    for part in (report, tune):
        takes_part = part.is_new[items] | part.is_old[items]
        assert (part.set_of_row[takes_part] == whole.set_of_row[takes_part]).all()
        assert (part.set_of_row[~takes_part] == -1).all()
    assert report.rows("validation").tolist() == tune.rows("validation").tolist()
    assert np.bincount(items[report.rows("validation")]).max() == 12
    assert set(items[report.rows("validation")]) == set(np.flatnonzero(report.is_validation))
    # the same items whatever K is, as long as the new items are the same
    other_size = cold_start_split(items, times, 20, 2, None, 0.3)
    assert (other_size.is_validation == report.is_validation).all()


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, "x", True, 0.05])
def test_share_of_held_out_items(share):
    items = np.repeat(np.arange(3), [21, 12, 12])
    with pytest.raises(UserError, match="validation_items"):
        cold_start_split(items, items, 20, 3, None, share)


def test_nothing_to_tune_on():
    items = np.repeat(np.arange(3), [21, 12, 12])
    with pytest.raises(UserError, match="score_validation needs validation_items"):
        cold_start_split(items, items, 20, 3, None, 0, score_validation=True)
