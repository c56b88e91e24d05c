"""Durability, repeated events, and input that does not fit."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from recbole_mwuf.errors import UserError
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.trainer import checkpoint

ROOT = Path(__file__).parents[2]


def state_of(warmer):
    """Everything that save() writes, as one flat dict."""
    warmer.save("state_of.pth")
    return flat(torch.load("state_of.pth", weights_only=True))


def flat(value, name=""):
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    else:
        return {name: value}
    return {k: v for key, part in parts for k, v in flat(part, f"{name}.{key}").items()}


def equal(one, other):
    def same(a, b):
        return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b

    return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)


@pytest.fixture
def rows(arrive):
    return arrive().interactions("warm_a")


def test_saved_and_loaded_is_the_same(warmer, rows):
    warmer.observe(rows.assign(event_id=range(len(rows))))
    before = state_of(warmer)
    assert equal(before, state_of(ItemWarmer.load("state_of.pth")))


def test_killed_while_saving(warmer, rows):
    """The process dies with half of the file written: the old one is whole, the rest is lost."""
    warmer.save("state.pth")
    whole = Path("state.pth").read_bytes()
    rows.to_csv("rows.csv", index=False)
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
import pandas as pd, torch
from recbole_mwuf.online import ItemWarmer
warmer = ItemWarmer.load("state.pth")
warmer.observe(pd.read_csv("rows.csv"))
def half(content, file):
    file.write(b"half a checkpoint")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
torch.save = half
warmer.save("state.pth")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert Path("state.pth").read_bytes() == whole
    assert list(Path().glob(".state.pth.*.part"))  # what the dead process was writing
    again = ItemWarmer.load("state.pth")
    again.observe(rows)
    warmer.observe(rows)
    assert equal(state_of(again), state_of(warmer))


def test_a_disk_that_is_full_leaves_the_old_file(warmer, rows, monkeypatch):
    warmer.save("state.pth")
    whole = Path("state.pth").read_bytes()

    def full(content, file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    warmer.observe(rows)
    with pytest.raises(UserError, match=r"cannot write 'state.pth': its disk is full"):
        warmer.save("state.pth")
    assert Path("state.pth").read_bytes() == whole
    assert not list(Path().glob(".*.part"))


def test_the_same_event_twice_counts_once(arrive, rows):
    once, twice = (ItemWarmer.load("model.pth") for _ in range(2))
    rows = rows.assign(event_id=[f"e{i}" for i in range(len(rows))])
    once.observe(rows)
    assert twice.observe(pd.concat([rows, rows])) == (15, 15, 0, 0, 0)
    assert equal(state_of(once), state_of(twice))
    assert twice.observe(rows[::-1]) == (0, 15, 0, 0, 0)
    assert equal(state_of(once), state_of(twice))
    later = ItemWarmer.load("state_of.pth")  # known after a restart, too
    assert later.observe(rows[3:5]).repeated == 2
    assert later.observe(rows[:2].drop(columns="event_id")).learned == 2


def test_as_many_event_ids_as_the_setting_says(arrive):
    arrived = arrive(event_window=4)
    warmer = ItemWarmer.load(arrived.path)
    rows = arrived.interactions("warm_a")[:6].assign(event_id=range(6))
    warmer.observe(rows)
    assert len(warmer.events.known) == 4
    assert warmer.observe(rows[2:]).repeated == 4
    assert warmer.observe(rows[:2]).learned == 2  # forgotten: counts again
    assert len(warmer.events.known) == 4


@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
def test_what_is_kept_does_not_grow_with_the_events(arrive, base):
    arrived = arrive(base=base, event_window=10, MAX_ITEM_LIST_LENGTH=8)
    warmer = ItemWarmer.load(arrived.path)
    rows = arrived.interactions("warm_a")

    def size():
        return sum(v.numel() for v in state_of(warmer).values() if isinstance(v, torch.Tensor))

    sizes = []
    for turn in range(20):
        events = range(turn * len(rows), (turn + 1) * len(rows))
        warmer.observe(rows.assign(event_id=events, timestamp=float(2e9 + turn)), networks=True)
        sizes.append(size())
    assert len(set(sizes[1:])) == 1  # the first one fills the window of event IDs
    assert int(warmer.items.seen.max()) > 40


def test_networks_learn_only_if_asked_and_the_base_never(arrive, rows):
    def moved(networks):
        warmer = ItemWarmer.load("model.pth")
        before = {n: v.clone() for n, v in warmer.model.state_dict().items()}
        warmer.observe(rows, networks)
        after = warmer.model.state_dict()
        return {n.split(".")[0] for n in before if not torch.equal(before[n], after[n])}

    assert moved(False) == {"new_ids", "mean_users"}
    assert moved(True) == {"new_ids", "mean_users", "meta_scaling", "meta_shifting"}


def test_networks_can_join_later(warmer, rows):
    """What is frozen for one call is not forgotten by the optimiser."""
    warmer.observe(rows)
    before = warmer.model.meta_scaling.state_dict()["mlp_layers.1.weight"].clone()
    warmer.observe(rows, networks=True)
    assert not torch.equal(before, warmer.model.meta_scaling.state_dict()["mlp_layers.1.weight"])


def test_only_the_items_observed_change(warmer, rows):
    others = [t for t in warmer.new_items() if t != "5"] + ["1", "2"]
    before = {kind: warmer.item_embeddings(others, kind) for kind in ("warm", "cold")}
    cold = warmer.item_embeddings(["5"], "cold")
    warmer.observe(rows[rows["item_id"] == "5"])
    for kind, expected in before.items():
        assert np.array_equal(expected, warmer.item_embeddings(others, kind))
    assert not np.array_equal(cold, warmer.item_embeddings(["5"], "cold"))


def test_scores_do_not_depend_on_the_company(arrive):
    arrived = arrive(base="DIN", eval_batch_size=7)
    warmer = ItemWarmer.load(arrived.path)
    warmer.observe(arrived.interactions("warm_a"))
    pairs = arrived.interactions("test")
    together = warmer.score(pairs["user_id"], pairs["item_id"])
    alone = [warmer.score([u], [i])[0] for u, i in zip(pairs["user_id"], pairs["item_id"])]
    assert np.allclose(together, alone, atol=1e-6)


def test_unknown_users(warmer, rows):
    state = state_of(warmer)
    assert warmer.observe(rows.assign(user_id="nobody")) == (0, 0, 15, 0, 0)
    assert equal(state, state_of(warmer))
    one, other = warmer.score(["nobody", "no one"], ["5", "5"])
    assert one == other
    assert 0 < one < 1


def test_old_items_are_left_alone(warmer, rows):
    state = state_of(warmer)
    assert warmer.observe(rows.assign(item_id="1")) == (0, 0, 0, 15, 0)
    assert equal(state, state_of(warmer))


def test_time_going_backwards_is_accepted_with_a_warning(arrive, caplog):
    arrived = arrive()
    warmer = ItemWarmer.load(arrived.path)
    rows = arrived.interactions("warm_b")
    warmer.observe(rows)
    assert not caplog.records
    earlier = arrived.interactions("warm_a")
    assert warmer.observe(earlier) == (15, 0, 0, 0, 15)
    assert "15 interactions are earlier" in caplog.text


BAD = {
    "user column": (lambda r: r.drop(columns="user_id"), r"no column \['user_id'\]"),
    "label column": (lambda r: r.drop(columns="label"), r"no column \['label'\]"),
    "all columns": (lambda r: r[[]], r"no column \['user_id', 'item_id', 'label', 'timestamp'\]"),
    "unknown item": (lambda r: r.assign(item_id=["x", "y", *r["item_id"][2:]]), "item_id=x is"),
    "label 2": (lambda r: r.assign(label=[0, 1, 2, *r["label"][3:]]), "label=2.* in row 2"),
    "label text": (lambda r: r.assign(label="yes"), "label='yes' in row 0 and 14 others"),
    "no label": (lambda r: r.assign(label=None), "label=None in row 0"),
    "no time": (lambda r: r.assign(timestamp=float("nan")), "a time must be a finite number"),
    "time text": (lambda r: r.assign(timestamp="noon"), "timestamp='noon'"),
    "infinite time": (
        lambda r: r.assign(timestamp=[1, "inf", *r["timestamp"][2:]]),
        "in row 1 and",
    ),
    "a date": (lambda r: r.assign(timestamp=pd.Timestamp("2021-05-01")), "a date one in the unit"),
    "dates": (
        lambda r: r.assign(timestamp=list(map(pd.Timestamp, range(15)))),
        "a date one in the",
    ),
    "a duration": (lambda r: r.assign(timestamp=pd.Timedelta(5, "s")), "a finite number"),
    "no user": (
        lambda r: r.assign(user_id=[1, None, *r["user_id"][2:]]),
        "user_id is missing in row 1",
    ),
    "an empty user": (lambda r: r.assign(user_id=""), "user_id is missing in row 0"),
    "user NaN": (lambda r: r.assign(user_id=float("nan")), "user_id is missing in row 0"),
    "no item": (lambda r: r.assign(item_id=pd.NA), "item_id is missing in row 0"),
    "half a character": (
        lambda r: r.assign(event_id=[*"abcdefghijklmn", "\ud800"]),
        "row 14, which",
    ),
    "a column twice": (lambda r: r.set_axis([*r.columns[:3], "label"], axis=1), "no column"),
    "another column twice": (lambda r: pd.concat([r, r[["label"]]], axis=1), "two columns 'label'"),
    "no event ID": (
        lambda r: r.assign(event_id=[None, *range(14)]),
        "event_id is missing in row 0",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD)
def test_bad_interactions_change_nothing(warmer, rows, spoil, message):
    state = state_of(warmer)
    with pytest.raises(UserError, match=message):
        warmer.observe(spoil(rows))
    assert equal(state, state_of(warmer))


def test_nothing_observed(warmer, rows):
    state = state_of(warmer)
    assert warmer.observe(rows[:0]) == (0, 0, 0, 0, 0)
    assert equal(state, state_of(warmer))
    assert warmer.score([], []).shape == (0,)


def test_bad_questions(warmer):
    with pytest.raises(UserError, match="item_id=x is unknown, as are 1 others; add items"):
        warmer.score(["1", "1"], ["x", "y"])
    with pytest.raises(UserError, match="2 users but 1 items"):
        warmer.score(["1", "2"], ["5"])
    with pytest.raises(UserError, match="kind is 'hot', but must be warm or cold"):
        warmer.item_embeddings(["5"], "hot")


def changed(content, **changes):
    return {**content, **changes}


def other_base(content):
    return changed(content, settings={**content["settings"], "base": "FM"})


REFUSED = {
    "schema": (lambda c: changed(c, schema=99), "has schema 99, but this version reads"),
    "a base": (lambda c: changed(c, kind="base"), "holds a base model, not a warm_up model"),
    "foreign": (lambda c: {"state_dict": {}}, "holds a foreign model, not a warm_up model"),
    "no model": (lambda c: {"weights": {}}, "it has no state_dict"),
    "another base": (other_base, "does not fit model=MWUF with base="),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_checkpoints_that_are_refused(arrive, change, message):
    content = torch.load(arrive().path, weights_only=True)
    torch.save(change(content), "other.pth")
    with pytest.raises(UserError, match=message):
        ItemWarmer.load("other.pth")


def test_a_broken_file_is_refused(warmer):
    warmer.save("state.pth")
    Path("state.pth").write_bytes(Path("state.pth").read_bytes()[:1000])
    with pytest.raises(UserError, match="not a readable checkpoint"):
        ItemWarmer.load("state.pth")
    with pytest.raises(UserError, match=r"there is no checkpoint 'none\.pth'"):
        ItemWarmer.load("none.pth")


def test_a_method_that_trains_its_base_is_refused(arrive):
    with pytest.raises(UserError, match="holds a MeLU, which goes on training its base"):
        ItemWarmer.load(arrive("MeLU").path)


def test_fields_that_a_pair_does_not_bring_are_refused(tmp_path, arrive):
    from tests.conftest import tiny_interactions, write_tiny

    frame = tiny_interactions()
    write_tiny(tmp_path, frame.assign(**{"place:token": frame["user_id:token"] % 3}))
    load_col = {
        "inter": ["user_id", "item_id", "label", "timestamp", "place"],
        "item": ["item_id", "category"],
    }
    arrived = arrive(data_path=str(tmp_path), load_col=load_col)
    with pytest.raises(UserError, match=r"reads the interaction fields \['place'\]"):
        ItemWarmer.load(arrived.path)


def test_the_checkpoint_holds_plain_values_only(arrive):
    content = torch.load(arrive(base="DIN").path, weights_only=True)
    kinds = {type(v) for v in flat(content).values()}
    assert kinds <= {torch.Tensor, str, int, float, bool, type(None)}
    assert content["schema"] == checkpoint.SCHEMA["warm_up"]
