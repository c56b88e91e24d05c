"""What comes in through an ItemWarmer is learned as the trainer's phases learn it."""

import numpy as np
import pytest
import torch

from recbole_mwuf.data import WARM_SETS, SetLoader
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.trainer import score

FLOAT_ERROR = 2e-6  # scores are probabilities in float32


def trainer_scores(arrived, phase):
    loader = SetLoader(arrived.data, "test", 64, phase)
    return score(arrived.trainer.model, loader).numpy()


def online_scores(arrived, warmer):
    pairs = arrived.interactions("test")
    return warmer.score(pairs["user_id"], pairs["item_id"])


@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
@pytest.mark.parametrize("method", ["MWUF", "MetaEmb", "DropoutNet", "WideDeep"])
@pytest.mark.parametrize("optimizer", ["continued", "fresh"])
def test_warm_sets_through_observe_equal_the_phases(arrive, method, base, optimizer):
    plain = method == "WideDeep"
    arrived = arrive(base if plain else method, base, warm_up_optimizer=optimizer)
    warmer = ItemWarmer.load(arrived.path)
    before = trainer_scores(arrived, "cold")
    assert np.abs(before - online_scores(arrived, warmer)).max() < FLOAT_ERROR
    for phase in WARM_SETS:
        arrived.trainer.consume(arrived.data, phase)
        seen = warmer.observe(arrived.interactions(phase), networks=True)
        assert seen.learned == 15
        expected = trainer_scores(arrived, phase)
        assert np.abs(expected - online_scores(arrived, warmer)).max() < FLOAT_ERROR
        assert np.abs(expected - before).max() > 10 * FLOAT_ERROR  # it has learned
        before = expected


@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
def test_saved_and_loaded_between_sets(arrive, base):
    arrived = arrive(base=base)
    warmer = ItemWarmer.load(arrived.path)
    for phase in WARM_SETS:
        arrived.trainer.consume(arrived.data, phase)
        warmer.observe(arrived.interactions(phase), networks=True)
        warmer.save("state.pth")
        warmer = ItemWarmer.load("state.pth")
    difference = trainer_scores(arrived, "warm_c") - online_scores(arrived, warmer)
    assert np.abs(difference).max() < FLOAT_ERROR


@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
def test_a_run_saved_after_its_phases_goes_on_from_them(arrive, base):
    arrived = arrive(base=base)
    arrived.trainer.run_phases(arrived.data)
    arrived.trainer.save_model("whole.pth", arrived.data)
    warmer = ItemWarmer.load("whole.pth")
    difference = trainer_scores(arrived, "warm_c") - online_scores(arrived, warmer)
    assert np.abs(difference).max() < FLOAT_ERROR
    new = np.flatnonzero(arrived.data.split.is_new)
    assert (warmer.items.seen[new] == 9).all()


def test_positive_users_only(arrive):
    arrived = arrive(interacted_users="positive")
    warmer = ItemWarmer.load(arrived.path)
    for phase in WARM_SETS:
        arrived.trainer.consume(arrived.data, phase)
        warmer.observe(arrived.interactions(phase), networks=True)
    ours, theirs = warmer.model.mean_users, arrived.trainer.model.mean_users
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert (warmer.items.counted < warmer.items.seen).any()
