import numpy as np
import torch

from recbole_mwuf.data import SetLoader
from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START


def rows_of(data, loader):
    """The rows that a loader yields, recognised by user, item, label and time."""
    return torch.cat([torch.stack([b["user_id"], b["item_id"]], 1) for b in loader])


def test_batches_are_what_recbole_would_join(make):
    """The same columns and values as RecBole's own Dataset.__getitem__."""
    _, data = make()
    rows = torch.tensor([5, 3, 3, 100])
    ours, recboles = data.batch(rows), data[rows]
    assert set(ours.columns) == {*recboles.columns, HISTORY_START, HISTORY_END}
    for name in recboles.columns:
        assert torch.equal(ours[name], recboles[name]), name


def test_a_set_is_covered_once(make):
    _, data = make()
    loader = SetLoader(data, "warm_b", batch_size=4)
    assert len(loader) == 4
    assert loader.sample_size == 15
    assert [len(batch) for batch in loader] == [4, 4, 4, 3]
    expected = data.batch(torch.from_numpy(data.split.rows("warm_b")))
    assert torch.equal(rows_of(data, loader)[:, 0], expected["user_id"])


def test_shuffling_follows_the_seed_and_changes_from_pass_to_pass(make):
    _, data = make()
    first = SetLoader(data, "old", 16, order="shuffled", seed=1)
    again = SetLoader(data, "old", 16, order="shuffled", seed=1)
    other = SetLoader(data, "old", 16, order="shuffled", seed=2)
    a, b = rows_of(data, first), rows_of(data, first)
    assert torch.equal(a, rows_of(data, again))
    assert not torch.equal(a, b)
    assert not torch.equal(a, rows_of(data, other))
    assert sorted(map(tuple, a.tolist())) == sorted(map(tuple, b.tolist()))


def test_time_and_user_order(make):
    _, data = make()
    by_time = SetLoader(data, "old", 16, order="time").rows.numpy()
    assert (np.diff(data.times[by_time]) >= 0).all()
    by_user = SetLoader(data, "old", 16, order="user").rows
    assert (data.inter_feat["user_id"][by_user].diff() >= 0).all()
    assert set(by_time) == set(by_user.tolist()) == set(data.split.rows("old"))
