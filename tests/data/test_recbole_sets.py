"""The sets of a split data set, as RecBole's ``data_preparation`` and loaders take them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recbole.data import data_preparation

from recbole_mwuf.config import Config
from recbole_mwuf.data import WARM_SETS, ColdStartDataset
from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START


@pytest.fixture
def build(settings):
    def load(**changes):
        config = Config("MWUF", "tiny", config_dict={**settings, **changes})
        data = ColdStartDataset(config)
        return config, data, data.build()

    return load


def equal(first, second):
    assert list(first.interaction) == list(second.interaction)
    for name, column in first.interaction.items():
        assert torch.equal(column, second[name]), name
    return True


def rows(data, *names):
    return torch.from_numpy(np.concatenate([data.split.rows(name) for name in names]))


def test_what_to_train_on_is_a_window_on_the_whole(build):
    _, data, (train, _, _) = build()
    old = rows(data, "old")
    assert len(train) == len(old) < len(data)
    assert equal(train[np.array([3, 0])], data.batch(old[[3, 0]]))
    assert equal(train[:], data.batch(old))
    # a model and its trainer find everything
    assert equal(train.batch(rows(data, "test"), "cold"), data.batch(rows(data, "test"), "cold"))
    assert equal(train.example(), data.example())


def test_rows_of_the_whole(build):
    _, data, _ = build()
    everything = torch.arange(len(data))
    for index in (torch.tensor([1]), np.array([5, 2]), slice(3, 9), [4]):
        assert equal(data[index], data.batch(everything[index]))


def test_without_held_out_items_the_warm_up_sets_validate(build):
    _, data, (_, valid, test) = build()
    for part, expected in (
        (valid, data.batch(rows(data, *WARM_SETS))),
        (test, data.batch(rows(data, "test"), "warm_c")),
    ):
        found = part[:]
        assert len(part) == len(expected)
        assert found.interaction.keys() == expected.interaction.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_held_out_items_validate_before_their_first_row(build):
    _, data, (_, valid, _) = build(validation_items=0.4)
    assert len(valid) == data.split.is_validation[data.inter_feat["item_id"]].sum()
    assert data.split.is_validation[valid.inter_feat["item_id"]].all()
    assert torch.equal(valid[:][HISTORY_START], valid[:][HISTORY_END])
    _, data, (_, valid, _) = build(validation_items=0.4, score_validation=True)
    assert len(valid) == len(rows(data, *WARM_SETS)) > 0


def test_sorting_a_set_leaves_the_whole_alone(build):
    _, data, (_, _, test) = build()
    before = data.inter_feat["user_id"].clone()
    test.sort("user_id")
    users = test.inter_feat["user_id"]
    assert torch.equal(users, users.sort().values)
    assert torch.equal(data.inter_feat["user_id"], before)


def test_recboles_loaders_give_every_row_once(build):
    config, data, _ = build()
    train, _, test = data_preparation(config, data)
    times = torch.cat([batch["timestamp"] for batch in train])
    assert torch.equal(
        times.sort().values, data.batch(rows(data, "old"))["timestamp"].sort().values
    )
    sizes = [len(batch) for batch in train]
    assert set(sizes[:-1]) == {config["train_batch_size"]}
    scored = torch.cat([batch["item_id"] for batch, *_ in test])
    assert torch.equal(scored, data.inter_feat["item_id"][rows(data, "test")])
