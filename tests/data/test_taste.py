"""Taste features: the numbers by hand, and that no row's label is in its numbers."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recbole.data.interaction import Interaction
from recbole.utils import FeatureSource, FeatureType

from recbole_mwuf.config import Config
from recbole_mwuf.data import PHASES, SETS, ColdStartDataset
from recbole_mwuf.data.row_taste import RowTaste
from recbole_mwuf.data.taste import Taste
from recbole_mwuf.data.taste_fields import possible_names
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base import create_base
from tests.conftest import tiny_interactions, write_tiny

TASTE = {"taste_fields": ["tags", "category"], "taste_user_fields": ["age"]}
KINDS = {
    "genre": (FeatureType.TOKEN_SEQ, FeatureSource.ITEM),
    "year": (FeatureType.TOKEN, FeatureSource.ITEM),
    "age": (FeatureType.TOKEN, FeatureSource.USER),
}


@dataclass
class Shop:
    """Three users and five items, the first item and user being the padding."""

    user_num: int = 3
    field2id_token: dict = field(
        default_factory=lambda: {
            "genre": ["[PAD]", "war", "love", "crime"],
            "year": ["[PAD]", "1994", "1995", "1999", "soon"],
            "age": ["[PAD]", "young", "old"],
        }
    )
    item_feat: Interaction = field(
        default_factory=lambda: Interaction(
            {
                "genre": torch.tensor([[0, 0], [1, 2], [1, 0], [2, 1], [0, 0]]),
                "year": torch.tensor([0, 2, 3, 1, 4]),
            }
        )
    )
    user_feat: Interaction = field(
        default_factory=lambda: Interaction({"age": torch.tensor([0, 1, 1])})
    )

    def fields(self, ftype=None, source=None):
        return [
            name
            for name, (its_type, its_source) in KINDS.items()
            if its_type in (ftype or [its_type]) and its_source in (source or [its_source])
        ]


def taste_of(**changes) -> Taste:
    config = {
        **{"taste_fields": ["genre", "year"], "taste_user_fields": ["age"]},
        **{"taste_bands": {"year": 5}, "taste_folds": 2, "taste_online": False},
        **changes,
    }
    return Taste(config, Shop(), 5)


def numbers_of(taste, user, item):
    (row,) = taste.of(np.array([user]), np.array([item]))
    return dict(zip(taste.names, row.tolist()))


@pytest.fixture
def counted() -> Taste:
    """Items 1 and 2 are old, one in each fold; (user, item, label) are all that was shown."""
    taste = taste_of()
    taste.fold_of_item[[1, 2]] = [0, 1]
    rows = [(1, 1, 1), (1, 2, 0), (2, 2, 1), (2, 1, 1)]
    taste.add(*(np.array(column) for column in zip(*rows)))
    return taste


def test_a_new_item_by_hand(counted):
    """Item 3: war and love as item 1, of 1994, which no old item is near."""
    found = numbers_of(counted, 1, 3)
    overall = 3 / 4
    own = (1 + 5 * overall) / (2 + 5)
    war, love = (1 + 5 * own) / (2 + 5), (1 + 5 * own) / (1 + 5)
    expected = {
        "taste_user": own,
        "taste_genre_mean": (war + love) / 2,
        "taste_genre_count": np.log(1 + 2 + 1),
        "taste_genre_min": war,
        "taste_genre_max": love,
        "taste_genre_set_mean": (1 + 5 * own) / (1 + 5),
        "taste_genre_set_count": np.log(1 + 1),
        "taste_year_mean": own,
        "taste_year_count": 0.0,
        "taste_all_genre": (2 + 50 * overall) / (2 + 50),
        "taste_all_year": overall,
        "taste_all_genre_year": overall,
        "taste_age_genre": (2 + 50 * overall) / (2 + 50),
        "taste_age_year": overall,
    }
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_training_row_by_hand(counted):
    """Of user 1 and item 1 all that counts is what both users say of item 2, in the other fold."""
    found = numbers_of(counted, 1, 1)
    overall = 1 / 2
    own = (0 + 5 * overall) / (1 + 5)
    war = (0 + 5 * own) / (1 + 5)
    expected = {
        "taste_user": own,
        "taste_genre_mean": (war + own) / 2,
        "taste_genre_count": np.log(1 + 1),
        "taste_genre_min": war,
        "taste_genre_max": own,
        "taste_genre_set_mean": own,
        "taste_genre_set_count": 0.0,
        "taste_year_mean": (0 + 5 * own) / (1 + 5),  # 1995 and 1999 are of one band
        "taste_year_count": np.log(1 + 1),
        "taste_all_genre": overall,
        "taste_all_year": (1 + 50 * overall) / (2 + 50),
        "taste_all_genre_year": overall,
        "taste_age_genre": overall,
        "taste_age_year": (1 + 50 * overall) / (2 + 50),
    }
    assert found == pytest.approx(expected, abs=1e-6)


def test_an_item_without_values_and_a_user_without_samples(counted):
    found = numbers_of(counted, 1, 4)  # no genre, and a year that is no number
    own = (1 + 5 * 3 / 4) / (2 + 5)
    for kind in ("mean", "min", "max", "set_mean"):
        assert found[f"taste_genre_{kind}"] == pytest.approx(own)
    assert found["taste_genre_count"] == found["taste_year_count"] == 0
    unknown = numbers_of(counted, 0, 3)
    for name in ("taste_user", "taste_genre_mean", "taste_genre_set_mean", "taste_age_genre"):
        assert unknown[name] == pytest.approx(3 / 4)


def test_nothing_shown():
    found = numbers_of(taste_of(), 1, 1)
    assert {v for n, v in found.items() if "count" not in n} == {0.5}


def test_names_that_the_settings_tell_contain_those_of_the_data():
    settings = {"taste_fields": ["genre", "year"], "taste_user_fields": ["age"]}
    assert set(taste_of().names) < set(possible_names(settings))
    assert possible_names({"taste_fields": None, "taste_user_fields": ["age"]}) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"taste_fields": ["age"]}, r"taste_fields: 'age' .*\['genre', 'year'\]"),
        ({"taste_user_fields": ["genre"]}, r"taste_user_fields: 'genre' .*\['age'\]"),
        ({"taste_fields": ["year", "year"]}, "names a field twice"),
    ],
)
def test_fields_that_cannot_be(changes, message):
    with pytest.raises(UserError, match=message):
        taste_of(**changes)


IS_OLD = (np.arange(9) > 0) & (np.arange(9) <= 5)
row = st.tuples(st.integers(1, 5), st.integers(1, 8), st.integers(0, 1))
tables = st.lists(row, min_size=4, max_size=60).filter(lambda rows: any(r[1] <= 5 for r in rows))


def bigger_shop():
    rng = np.random.default_rng(3)
    features = {
        "genre": torch.from_numpy(rng.integers(0, 4, (9, 2))),
        "year": torch.from_numpy(rng.integers(1, 5, 9)),
    }
    ages = Interaction({"age": torch.tensor([0, 1, 1, 2, 2, 1])})
    return Shop(user_num=6, item_feat=Interaction(features), user_feat=ages)


def rows_taste(users, items, labels, set_of_row, online=False):
    config = {
        **{"taste_fields": ["genre", "year"], "taste_user_fields": ["age"], "taste_bands": None},
        **{"taste_folds": 3, "taste_online": online},
    }
    taste = Taste(config, bigger_shop(), 9)
    taste.set_old_items(IS_OLD)
    return RowTaste(taste, (users, items, labels), set_of_row, torch.device("cpu"))


def all_numbers(row_taste, phase, n_rows):
    columns = row_taste.columns(torch.arange(n_rows), phase)
    return torch.stack([column[:, 0] for column in columns.values()], dim=1).numpy()


@settings(deadline=None)
@given(tables, st.integers(1, 5))
def test_no_label_of_an_old_item_is_in_the_numbers_of_its_rows(rows, item):
    """Nor one of another item of its fold: turning them all round leaves the numbers alone."""
    users, items, labels = (np.array(column) for column in zip(*rows))

    def unscaled(labels):
        taste = rows_taste(users, items, labels, np.where(IS_OLD[items], 0, 1))
        known = taste.after["cold"]
        fold = known.fold_of_item == known.fold_of_item[item]
        known._mean[:], known._scale[:] = 0, 1  # they sum up all rows: a few figures for all
        return fold, known.of(users, items)

    fold, before = unscaled(labels)
    own = fold[items]
    _, after = unscaled(np.where(own, 1 - labels, labels))
    assert np.array_equal(before[own], after[own])
    if own.any() and (IS_OLD[items] & ~own).any():  # the labels of other folds are
        none, every = (unscaled(np.where(own, labels, liked))[1] for liked in (0, 1))
        assert (none[own, 0] < every[own, 0]).all()


@settings(deadline=None)
@given(tables, st.lists(st.booleans(), min_size=60, max_size=60))
def test_no_label_of_a_new_item_is_in_any_number(rows, turned):
    users, items, labels = (np.array(column) for column in zip(*rows))
    is_new = ~IS_OLD[items]
    set_of_row = np.where(is_new, 1 + np.arange(len(rows)) % 4, 0)
    other = np.where(is_new & np.array(turned[: len(rows)]), 1 - labels, labels)
    first, second = (rows_taste(users, items, of, set_of_row) for of in (labels, other))
    for phase in (None, *PHASES):
        numbers = all_numbers(first, phase, len(rows))
        assert np.array_equal(numbers, all_numbers(second, phase, len(rows)))
        assert np.array_equal(numbers, all_numbers(first, None, len(rows)))


@settings(deadline=None)
@given(tables)
def test_online_a_phase_shows_other_items_its_labels_and_none_its_own(rows):
    users, items, labels = (np.array(column) for column in zip(*rows))
    set_of_row = np.where(IS_OLD[items], 0, 1 + np.arange(len(rows)) % 4)
    shown = set_of_row == SETS.index("warm_b")
    other = np.where(shown, 1 - labels, labels)
    first, second = (
        rows_taste(users, items, of, set_of_row, online=True) for of in (labels, other)
    )
    for phase in ("cold", "warm_a"):  # nothing of warm_b has been consumed
        numbers = (all_numbers(taste, phase, len(rows)) for taste in (first, second))
        assert np.array_equal(*numbers)
    before = set_of_row < SETS.index("warm_b")
    numbers = [all_numbers(taste, None, len(rows))[before] for taste in (first, second)]
    assert np.array_equal(*numbers)
    folds = first.after["cold"].fold_of_item
    for item in np.unique(items[shown]):  # turn round one item's labels only
        other = np.where(shown & (folds[items] == folds[item]), 1 - labels, labels)
        second = rows_taste(users, items, other, set_of_row, online=True)
        own = items == item
        for phase in (None, "warm_b", "warm_c"):
            numbers = [all_numbers(taste, phase, len(rows))[own] for taste in (first, second)]
            assert np.array_equal(*numbers)


def test_online_numbers_move_by_what_is_consumed(make):
    _, data = make(**TASTE, taste_online=True)
    test = torch.from_numpy(data.split.rows("test"))
    _, still = make(**TASTE)
    numbers = [data.batch(test, phase)["taste_user"] for phase in PHASES]
    assert torch.equal(numbers[0], still.batch(test, "warm_c")["taste_user"])
    assert all(not torch.equal(*pair) for pair in zip(numbers, numbers[1:]))
    # one phase is kept at a time, and asking again for an earlier one gives the same
    assert torch.equal(data.batch(test, "cold")["taste_user"], numbers[0])


def test_folds_are_over_old_items_of_like_size_and_follow_from_the_data():
    taste = taste_of(taste_folds=3)
    is_old = np.arange(5) > 1
    taste.set_old_items(is_old)
    assert sorted(taste.fold_of_item[is_old]) == [0, 1, 2]
    assert (taste.fold_of_item[~is_old] >= 3).all()
    again = taste_of(taste_folds=3)
    again.set_old_items(is_old)
    assert np.array_equal(taste.fold_of_item, again.fold_of_item)


def test_a_row_carries_float_columns_as_recbole_keeps_them(make):
    config, data = make(**TASTE)
    batch = data.batch(torch.from_numpy(data.split.rows("old")))
    names = data.taste.names
    assert set(names) < set(config["numerical_features"])
    for name in names:
        assert batch[name].shape == (171, 2)
        assert (batch[name][:, 1] == 1).all()
        assert data.num(name) == 2
        values = batch[name][:, 0]
        assert values.mean() == pytest.approx(0, abs=1e-5)
        assert values.std(correction=0) == pytest.approx(1, abs=1e-4) or (values == 0).all()
    assert not set(names) & set(data.item_feat.columns + data.user_feat.columns)


def test_seed_and_held_out_items_leave_the_numbers_alone(make):
    _, data = make(**TASTE)
    _, other = make(**TASTE, seed=7, validation_items=0.4)
    rows = torch.arange(len(data.times))
    for name in data.taste.names:
        assert torch.equal(data.batch(rows)[name], other.batch(rows)[name])


def test_labels_of_new_items_in_the_files_leave_the_numbers_alone(make, settings, tmp_path):
    _, data = make(**TASTE)
    inter = tiny_interactions()
    is_new = inter["item_id:token"] > 4
    inter.loc[is_new, "label:float"] = 1 - inter.loc[is_new, "label:float"]
    write_tiny(tmp_path, inter)
    changed = {**settings, **TASTE, "data_path": str(tmp_path)}
    other = ColdStartDataset(Config("MWUF", "tiny", config_dict=changed))
    rows = torch.arange(len(data.times))
    assert not torch.equal(data.batch(rows)["label"], other.batch(rows)["label"])
    for name in data.taste.names:
        assert torch.equal(data.batch(rows)[name], other.batch(rows)[name])


def test_off_nothing_is_added(make):
    config, data = make()
    assert config["numerical_features"] == []
    assert data.taste is None
    assert not [name for name in data.fields() if name.startswith("taste")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"taste_fields": ["nothing"]}, "taste_fields: 'nothing'"),
        ({"taste_fields": "tags"}, "taste_fields is 'tags', but must be non-empty list"),
        ({"taste_folds": 1, **TASTE}, "taste_folds is 1"),
        ({"taste_bands": {"category": 0}}, "taste_bands is {'category': 0}, but must be dict"),
        ({"base": "DSSM", **TASTE}, "base=DSSM reads no float fields"),
    ],
)
def test_one_clear_error(make, changes, message):
    with pytest.raises(UserError, match=message):
        create_base(*make(**changes))
