"""Taste features of pairs that come in are those that the data set's rows have."""

import numpy as np
import pandas as pd
import pytest
import torch

from recbole_mwuf.data import WARM_SETS
from recbole_mwuf.errors import UserError
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.quick_start import run
from tests.online.test_added_items import renamed
from tests.online.test_equals_phases import FLOAT_ERROR, online_scores, trainer_scores
from tests.online.test_failures import fail_after

TASTE = {"taste_fields": ["tags", "category"], "taste_user_fields": ["age"]}
BASES = ["WideDeep", "DCN", "FM", "DIN"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("method", ["MWUF", "MetaEmb", "DropoutNet", "MeLU", "plain"])
def test_every_method_and_base_reads_them(settings, method, base):
    def scores(**changes):
        model = base if method == "plain" else method
        given = {**settings, **changes, "base_phases": False, "metrics": ["LogLoss"]}
        return run(model, base, "tiny", config_dict=given, saved=False).phases

    assert scores(**TASTE) != scores()


@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("method", ["MWUF", "MetaEmb", "DropoutNet"])
def test_warm_sets_through_observe_equal_the_phases(arrive, method, base, online):
    arrived = arrive(method, base, **TASTE, taste_online=online)
    warmer = ItemWarmer.load(arrived.path)
    difference = trainer_scores(arrived, "cold") - online_scores(arrived, warmer)
    assert np.abs(difference).max() < FLOAT_ERROR
    for phase in WARM_SETS:
        arrived.trainer.consume(arrived.data, phase)
        warmer.observe(arrived.interactions(phase), networks=True)
        difference = trainer_scores(arrived, phase) - online_scores(arrived, warmer)
        assert np.abs(difference).max() < FLOAT_ERROR
        warmer.save("state.pth")
        warmer = ItemWarmer.load("state.pth")


@pytest.mark.parametrize("online", [False, True])
def test_numbers_are_those_of_the_rows_bit_for_bit(arrive, online):
    arrived = arrive(**TASTE, taste_online=online)
    data, warmer = arrived.data, ItemWarmer.load(arrived.path)
    rows = torch.arange(len(data.times))
    for phase in ("cold", *WARM_SETS):
        if phase != "cold":
            warmer.observe(arrived.interactions(phase))
        batch = data.batch(rows, phase)  # of old items as well: without their own fold
        columns = warmer.catalog.context(batch["user_id"], batch["item_id"])
        assert list(columns) == data.taste.names
        assert all(torch.equal(column, batch[name]) for name, column in columns.items())


@pytest.mark.parametrize("online", [False, True])
def test_a_run_saved_after_its_phases_goes_on_from_them(arrive, online):
    arrived = arrive(**TASTE, taste_online=online)
    arrived.trainer.run_phases(arrived.data)
    arrived.trainer.save_model("whole.pth", arrived.data)
    warmer = ItemWarmer.load("whole.pth")
    difference = trainer_scores(arrived, "warm_c") - online_scores(arrived, warmer)
    assert np.abs(difference).max() < FLOAT_ERROR


@pytest.mark.parametrize("online", [False, True])
def test_events_move_a_users_numbers_only_if_they_are_asked_to(arrive, online):
    arrived = arrive(**TASTE, taste_online=online)
    warmer = ItemWarmer.load(arrived.path)
    events = arrived.interactions("warm_a")
    users, items = (
        torch.from_numpy(warmer.catalog.ids(field, events[field]))
        for field in ("user_id", "item_id")
    )
    others = items.roll(1)
    assert not torch.equal(items, others)
    before = warmer.catalog.context(users, others)
    warmer.observe(events)
    after = warmer.catalog.context(users, others)
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert "taste_user" in moved if online else not moved


@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_an_added_item_has_the_numbers_of_one_that_training_set_aside(arrive, base, one_by_one):
    arrived = arrive(base=base, **TASTE)
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
        warmer.add_items(features[start : start + step])
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


def test_unknown_values_and_longer_sequences(arrive):
    warmer = ItemWarmer.load(arrive(**TASTE).path)
    features = pd.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "category": ["c9", None, "c1"],
            "tags": ["t7", "", "t0 t1 t2 t0 t1 t2"],
        }
    )
    warmer.add_items(features)
    users = torch.tensor([3, 3, 3])
    items = torch.from_numpy(warmer.catalog.ids("item_id", features["item_id"]))
    columns = warmer.catalog.context(users, items)
    own = columns["taste_tags_mean"]
    assert torch.equal(own[0], own[1])  # no known value
    assert not torch.equal(own[0], own[2])
    assert columns["taste_tags_set_count"][2, 0] > columns["taste_tags_set_count"][0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
def test_the_exported_scorer_takes_them_as_an_input(arrive, base):
    import onnxruntime

    from recbole_mwuf.online.export import TASTE as INPUT
    from recbole_mwuf.online.export import export

    arrived = arrive(base=base, **TASTE)
    warmer = ItemWarmer.load(arrived.path)
    warmer.observe(arrived.interactions("warm_a"))
    export(warmer, "served")
    pairs = arrived.interactions("test")
    user, item = (warmer.catalog.ids(f, pairs[f]) for f in ("user_id", "item_id"))
    ids = torch.from_numpy(item)
    inputs = {
        "user_id": user,
        INPUT: warmer.catalog.taste.of(user, item),
        "item_embedding": warmer.item_embeddings(pairs["item_id"]),
        "item_first_order": warmer.model.new_ids(ids).first_order,
        "history": warmer.items.recent[item],
        "history_length": np.minimum(warmer.items.seen[item], warmer.items.recent.shape[1]),
        **{name: warmer.catalog.item_feat[name][ids].numpy() for name in ("category", "tags")},
    }
    if inputs["item_first_order"] is not None:
        inputs["item_first_order"] = inputs["item_first_order"].detach().numpy()
    session = onnxruntime.InferenceSession("served/scorer.onnx")
    names = {i.name for i in session.get_inputs()}
    assert INPUT in names
    (scores,) = session.run(None, {n: v for n, v in inputs.items() if n in names})
    assert np.abs(scores - online_scores(arrived, warmer)).max() < 1e-5


def test_a_failed_observation_moves_no_number(arrive, monkeypatch):
    arrived = arrive(**TASTE, taste_online=True)
    warmer, other = ItemWarmer.load(arrived.path), ItemWarmer.load(arrived.path)
    test = arrived.interactions("test")
    pair = [torch.from_numpy(warmer.catalog.ids(f, test[f])) for f in ("user_id", "item_id")]
    before = warmer.catalog.context(*pair)
    with monkeypatch.context() as patch:
        fail_after(patch, 0, MemoryError("full"))
        with pytest.raises(MemoryError):
            warmer.observe(arrived.interactions("warm_a"))
    after = warmer.catalog.context(*pair)
    assert all(torch.equal(before[name], after[name]) for name in before)
    for each in (warmer, other):
        each.observe(arrived.interactions("warm_a"))
    after, expected = (each.catalog.context(*pair) for each in (warmer, other))
    assert not torch.equal(before["taste_user"], after["taste_user"])
    assert all(torch.equal(after[name], expected[name]) for name in before)


def test_items_that_cannot_start_leave_no_set_behind(arrive, monkeypatch):
    """A new set's number goes back with its item: else a checkpoint would number them otherwise."""
    features = pd.DataFrame(
        {"item_id": ["a", "b"], "category": ["c2", "c1"], "tags": ["t1", "t2 t1"]}
    )
    warmer = ItemWarmer.load(arrive(**TASTE, taste_online=True).path)
    with monkeypatch.context() as patch:
        patch.setattr(warmer.model, "add_items", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            warmer.add_items(features[:1])
    warmer.add_items(features[1:])
    events = pd.DataFrame(
        {"user_id": ["3", "4"], "item_id": "b", "label": [1, 1], "timestamp": 2e9}
    )
    warmer.observe(events)
    warmer.add_items(features[:1].assign(category="c1", tags="t2 t1"))  # of the same sets
    pair = torch.tensor([3, 5]), torch.from_numpy(warmer.catalog.ids("item_id", ["a", "a"]))
    before = warmer.catalog.context(*pair)
    warmer.save("state.pth")
    after = ItemWarmer.load("state.pth").catalog.context(*pair)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_checkpoint_that_lacks_a_part_is_refused(arrive):
    path = arrive(**TASTE).path
    content = torch.load(path, weights_only=True)
    del content["catalog"]["taste"]["scale"]
    torch.save(content, path)
    with pytest.raises(UserError, match="taste features is incomplete: there is no 'scale'"):
        ItemWarmer.load(path)
