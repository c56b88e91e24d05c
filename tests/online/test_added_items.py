"""Items that training has never heard of."""

import numpy as np
import pandas as pd
import pytest
import torch

from recbole_mwuf.data import WARM_SETS
from recbole_mwuf.errors import UserError
from recbole_mwuf.online import ItemWarmer
from tests.online.test_equals_phases import FLOAT_ERROR, trainer_scores

FEATURES = pd.DataFrame({"item_id": ["a", "b"], "category": ["c1", "c2"], "tags": ["t0 t1", "t0"]})


def renamed(interactions):
    return interactions.assign(item_id="fresh-" + interactions["item_id"].astype(str))


@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
@pytest.mark.parametrize("method", ["MWUF", "MetaEmb", "DropoutNet"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_an_added_item_learns_as_one_that_training_set_aside(arrive, method, base, one_by_one):
    """The split's new items under other names: IDs beyond the trained tables."""
    arrived = arrive(method, base)
    warmer = ItemWarmer.load(arrived.path)
    tokens = pd.Series(sorted(set(arrived.interactions("test")["item_id"])))
    number = tokens.astype(int)  # tests/conftest.py: features follow from the item's number
    features = pd.DataFrame(
        {
            "item_id": "fresh-" + tokens,
            "category": [f"c{i % 3}" for i in number],
            "tags": [" ".join(f"t{j}" for j in range(i % 3 + 1)) for i in number],
        }
    )
    step = 1 if one_by_one else len(features)
    for start in range(0, len(features), step):
        added = warmer.add_items(features[start : start + step])
        assert added == (step, 0, {"category": 0, "tags": 0})
    pairs = renamed(arrived.interactions("test"))
    for phase in ("cold", *WARM_SETS):
        if phase != "cold":
            arrived.trainer.consume(arrived.data, phase)
            warmer.observe(renamed(arrived.interactions(phase)), networks=True)
        scores = warmer.score(pairs["user_id"], pairs["item_id"])
        assert np.abs(scores - trainer_scores(arrived, phase)).max() < FLOAT_ERROR
    warmer.save("state.pth")
    again = ItemWarmer.load("state.pth")
    assert np.array_equal(scores, again.score(pairs["user_id"], pairs["item_id"]))


def test_adding_changes_no_score_and_no_row_of_the_base(arrive):
    arrived = arrive()
    warmer = ItemWarmer.load(arrived.path)
    pairs = pd.concat([arrived.interactions("old"), arrived.interactions("test")])
    before = warmer.score(pairs["user_id"], pairs["item_id"])
    users = warmer.model.table.users().clone()
    warmer.add_items(FEATURES)
    assert np.array_equal(before, warmer.score(pairs["user_id"], pairs["item_id"]))
    assert torch.equal(users, warmer.model.table.users())


def test_the_cold_start_of_added_items(warmer):
    warmer.add_items(FEATURES)
    old = warmer.model.is_old.nonzero().squeeze(1)
    mean = warmer.model.table.rows(old).embedding.mean(0).numpy()
    cold = warmer.item_embeddings(["a", "b"], kind="cold")
    assert np.allclose(cold, mean, atol=1e-7)
    # a: category c1 of [PAD] c0.. in the order of the files, and the mean of two tags
    base, seam = warmer.model.base, warmer.model.table
    ids = {f: dict(zip(t, range(99))) for f, t in warmer.catalog.field2id_token.items()}
    category = base.token_embedding_table.embedding.weight[
        int(base.token_field_offsets[base.token_field_names.index("category")])
        + ids["category"]["c1"]
    ]
    tags = base.token_seq_embedding_table[0].weight[[ids["tags"]["t0"], ids["tags"]["t1"]]]
    (item,) = torch.from_numpy(warmer.catalog.ids("item_id", ["a"]))
    found = seam.features_of(item.reshape(1))[0]
    assert torch.allclose(found, torch.stack([tags.mean(0), category]), atol=1e-6)
    assert torch.equal(found.flatten(), warmer.model.item_features[item])


def test_known_items_stay_as_they_are(arrive):
    arrived = arrive()
    warmer = ItemWarmer.load(arrived.path)
    warmer.add_items(FEATURES)
    more = arrived.interactions("warm_a").assign(item_id="a")
    warmer.observe(more)
    before = warmer.item_embeddings(["a", "1"])
    again = pd.concat([FEATURES, FEATURES.assign(item_id=["1", "c"])])
    assert warmer.add_items(again) == (1, 3, {"category": 0, "tags": 0})
    assert np.array_equal(before, warmer.item_embeddings(["a", "1"]))


def test_unknown_values_are_counted_and_count_as_missing(warmer):
    features = pd.DataFrame(
        {
            "item_id": [101, 102, 103, 104],
            "category": ["c9", None, "c1", "c1"],
            "tags": ["t7 t0", "", ["t0", "t8"], None],
        }
    )
    assert warmer.add_items(features) == (4, 0, {"category": 2, "tags": 2})
    same = features.assign(
        item_id=[201, 202, 203, 204], category=[None, "?", "c1", "c1"], tags=["t0", None, "t0", ""]
    )
    warmer.add_items(same)
    one, other = (warmer.score([5] * 4, range(start, start + 4)) for start in (101, 201))
    assert np.array_equal(one, other)


def test_longer_sequences_than_in_training_are_cut(warmer, caplog):
    """Only known tokens count, and as many as the longest row of training has."""
    width = warmer.catalog.item_feat["tags"].shape[1]
    before = warmer.score(["1"], ["1"])
    many = "t0 x t1 y t2 " + " ".join(f"w{i}" for i in range(20_000)) + " t0 t0"
    assert (
        warmer.add_items(FEATURES.assign(tags=[many, "t0 t1 t2"])).unknown_values["tags"] == 20_002
    )
    assert warmer.catalog.item_feat["tags"].shape[1] == width
    assert "tags: 2 values are left out, since a row has room for the 3 of" in caplog.text
    first, second = (warmer.model.item_features[i] for i in warmer.catalog.ids("item_id", "ab"))
    k = warmer.model.table.size
    assert torch.equal(first[:k], second[:k])  # the mean of the same three tags
    assert np.array_equal(before, warmer.score(["1"], ["1"]))


BAD_ITEMS = {
    "no ID": (lambda f: f.assign(item_id=["a", None]), "items: item_id is missing in row 1"),
    "an empty ID": (lambda f: f.assign(item_id=["", "b"]), "item_id is missing in row 0"),
    "ID NaN": (lambda f: f.assign(item_id=[1.0, float("nan")]), "item_id is missing in row 1"),
    "half a character": (lambda f: f.assign(item_id=["a", "\udc80"]), "in row 1, which is no text"),
    "the padding": (
        lambda f: f.assign(item_id=["a", "[PAD]"]),
        r"no item_id may be called \[PAD\]",
    ),
    "a column twice": (lambda f: pd.concat([f, f[["tags"]]], axis=1), "two columns 'tags'"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_ITEMS.values(), ids=BAD_ITEMS)
def test_bad_items_are_not_added(warmer, spoil, message):
    known = warmer.known_items()
    with pytest.raises(UserError, match=message):
        warmer.add_items(spoil(FEATURES))
    assert warmer.known_items() == known
    warmer.save("state.pth")


def test_a_missing_value_is_not_a_token_of_that_name(warmer):
    """A category may be called nan, since RecBole's loader keeps the text NA."""
    names = warmer.catalog.field2id_token["category"]
    warmer.catalog._ids["category"].update({"nan": names.index("c2"), "None": names.index("c2")})
    values = [float("nan"), None]
    assert warmer.add_items(FEATURES.assign(category=values)).unknown_values["category"] == 2
    ids = warmer.catalog.ids("item_id", ["a", "b"])
    assert not warmer.catalog.item_feat["category"][ids].any()


@pytest.mark.parametrize("column", ["item_id", "category", "tags"])
def test_missing_column(warmer, column):
    with pytest.raises(UserError, match=f"items: no column .*{column}"):
        warmer.add_items(FEATURES.drop(columns=column))
    with pytest.raises(UserError, match="item_id=a is unknown"):
        warmer.score(["1"], ["a"])


def test_no_items(warmer):
    assert warmer.add_items(FEATURES[:0]).added == 0


def test_promotion_hands_the_warm_row_to_the_base(arrive):
    arrived = arrive()
    warmer = ItemWarmer.load(arrived.path)
    warmer.add_items(FEATURES)
    rows = arrived.interactions("warm_a")
    warmer.observe(rows[:10].assign(item_id="a"))
    warmer.observe(rows[:10].assign(item_id="a"))
    assert warmer.promote() == []  # N = 20: an old item has more
    warmer.observe(pd.concat([rows[:1].assign(item_id="a"), rows[:5].assign(item_id="b")]))
    users = [str(u) for u in range(1, 31)]
    before = warmer.score(users, ["a"] * 30)
    warm = warmer.item_embeddings(["a"])
    assert warmer.promote() == ["a"]
    assert np.array_equal(warm, warmer.item_embeddings(["a"]))
    # a warm row made alone and one made in a batch differ in the last bit
    assert np.abs(before - warmer.score(users, ["a"] * 30)).max() < FLOAT_ERROR
    before = warmer.score(users, ["a"] * 30)
    assert "a" not in warmer.new_items()
    assert "b" in warmer.new_items()
    (row,) = warmer.model.table.rows(
        torch.from_numpy(warmer.catalog.ids("item_id", ["a"]))
    ).embedding.numpy()
    assert np.array_equal(row, warmer.item_embeddings(["a"])[0])
    # the base does not move: what comes now is left out
    assert warmer.observe(rows[:3].assign(item_id="a"))._asdict() == {
        **{"learned": 0, "repeated": 0, "unknown_users": 0, "old_items": 3, "back_in_time": 0}
    }
    assert np.array_equal(before, warmer.score(users, ["a"] * 30))
    assert warmer.promote(["b", "1"]) == ["b"]
    warmer.save("state.pth")
    again = ItemWarmer.load("state.pth")
    assert np.array_equal(before, again.score(users, ["a"] * 30))


@pytest.mark.parametrize("base", ["AFN", "DSSM", "FM", "xDeepFM", "KD_DAGFM", "GRU4Rec"])
def test_other_bases_grow_too(arrive, base):
    arrived = arrive(base=base)
    warmer = ItemWarmer.load(arrived.path)
    pairs = arrived.interactions("old")
    before = warmer.score(pairs["user_id"], pairs["item_id"])
    warmer.add_items(FEATURES)
    assert np.array_equal(before, warmer.score(pairs["user_id"], pairs["item_id"]))
    warmer.observe(arrived.interactions("warm_a").assign(item_id="b"))
    assert np.array_equal(before, warmer.score(pairs["user_id"], pairs["item_id"]))
    warmer.save("state.pth")
    again = ItemWarmer.load("state.pth")
    assert again.score(["1"], ["b"]) == warmer.score(["1"], ["b"]) != warmer.score(["1"], ["a"])
