"""An observation that fails or is interrupted changes nothing."""

import numpy as np
import pandas as pd
import pytest
import torch

from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.trainer.loop import TrainingLoop
from tests.online.test_item_warmer import equal, state_of

ITEMS = pd.DataFrame({"item_id": ["a"], "category": ["c1"], "tags": ["t0 t1"]})


def fail_after(monkeypatch, n_steps, error):
    """The step after so many fails before it moves anything; with None the loss is NaN."""
    taken = []
    step = TrainingLoop._step

    def failing(self, batch, loss_func, scaler):
        taken.append(len(batch))
        if len(taken) > n_steps:
            if error is not None:
                raise error
            return torch.tensor(float("nan"))
        return step(self, batch, loss_func, scaler)

    monkeypatch.setattr(TrainingLoop, "_step", failing)
    return taken


@pytest.mark.parametrize("networks", [False, True])
@pytest.mark.parametrize(
    ("method", "base", "given"),
    [
        ("MWUF", "WideDeep", {}),
        ("MWUF", "DIN", {"warm_up_optimizer": "fresh"}),
        ("MetaEmb", "DIN", {}),
        ("DropoutNet", "WideDeep", {}),
        ("WideDeep", "WideDeep", {}),
    ],
)
@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), MemoryError("full")], ids=str)
def test_nothing_has_changed(arrive, monkeypatch, method, base, given, networks, error):
    arrived = arrive(method, base, train_batch_size=4, **given)
    warmer, other = ItemWarmer.load(arrived.path), ItemWarmer.load(arrived.path)
    rows = arrived.interactions("warm_a").assign(event_id=range(15))
    later = arrived.interactions("warm_b").assign(event_id=range(15, 30))
    for turn in (rows, later):  # an optimiser that is new, and one that has learned
        before = state_of(warmer)
        optimizer = warmer.loop.optimizer
        with monkeypatch.context() as patch:
            taken = fail_after(patch, 2, error)
            with pytest.raises(type(error) if error is not None else ValueError):
                warmer.observe(turn, networks)
            assert taken[:3] == [4, 4, 4]
        assert equal(before, state_of(warmer))
        assert warmer.loop.optimizer is optimizer
        for each in (warmer, other):  # and what comes next is learned as if nothing had happened
            assert each.observe(turn, networks).learned == 15
        assert equal(state_of(warmer), state_of(other))


def test_only_what_was_touched_is_kept_aside(arrive, monkeypatch):
    """Items that did not learn are not written to: another thread's promote would be undone."""
    warmer = ItemWarmer.load(arrive().path)
    warmer.add_items(ITEMS)
    rows = warmer.model.new_ids.embedding.weight.data
    item = int(warmer.catalog.ids("item_id", ["a"])[0])

    def fail(*_):
        rows[item] = 7.0  # of no event
        raise RuntimeError

    monkeypatch.setattr(TrainingLoop, "_step", fail)
    events = pd.DataFrame({"user_id": ["1"], "item_id": ["5"], "label": [1], "timestamp": [2e9]})
    with pytest.raises(RuntimeError):
        warmer.observe(events)
    assert (rows[item] == 7.0).all()


def test_an_interrupt_while_events_are_remembered(arrive, monkeypatch):
    arrived = arrive(event_window=20)
    warmer = ItemWarmer.load(arrived.path)
    rows = arrived.interactions("warm_a").assign(event_id=range(15))
    before = state_of(warmer)

    class Interrupted(type(warmer.events.known)):
        def update(self, more):
            super().update(list(more.items())[:7])
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(warmer.events, "known", Interrupted(warmer.events.known))
        with pytest.raises(KeyboardInterrupt):
            warmer.observe(rows)
        assert not warmer.events.known
    assert equal(before, state_of(warmer))
    assert warmer.observe(rows).learned == 15
    assert np.isfinite(warmer.item_embeddings(warmer.new_items())).all()


def test_items_that_cannot_start_are_not_known(arrive, monkeypatch):
    arrived = arrive("MetaEmb")
    warmer, other = ItemWarmer.load(arrived.path), ItemWarmer.load(arrived.path)
    known = warmer.known_items()

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(warmer.model, "start", fail)
        with pytest.raises(KeyboardInterrupt):
            warmer.add_items(ITEMS)
    assert warmer.known_items() == known
    for each in (warmer, other):
        assert each.add_items(ITEMS).added == 1
    assert np.array_equal(warmer.item_embeddings(["a"]), other.item_embeddings(["a"]))
