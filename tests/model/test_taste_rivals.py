"""Trivial rivals: what they score with is the numbers, and an item's bias."""

import sys

import numpy as np
import pytest
import torch

from recbole_mwuf.data import WARM_SETS
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base import create_base
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.quick_start import run
from recbole_mwuf.trainer import checkpoint
from tests.online.conftest import arrive  # noqa: F401  (a fixture)
from tests.online.test_equals_phases import FLOAT_ERROR, online_scores, trainer_scores

TASTE = {"taste_fields": ["tags", "category"], "taste_user_fields": ["age"]}
RIVALS = ["UserMean", "TasteMean", "TasteBoost"]
NUMBERS = {"UserMean": "taste_user", "TasteMean": "taste_tags_mean"}


@pytest.fixture(autouse=True)
def lightgbm_if_needed(request):
    if "TasteBoost" in request.node.name:
        pytest.importorskip("lightgbm")


def new_rows(data):
    return torch.from_numpy(np.flatnonzero(data.split.set_of_row > 0))


@pytest.mark.parametrize("base", NUMBERS)
def test_a_new_item_is_ranked_by_the_number_alone_and_then_by_its_bias_as_well(trained, base):
    _, data, model = trained(base, **TASTE, epochs=30, learning_rate=0.01)
    batch = data.batch(new_rows(data), "cold")
    number, score = batch[NUMBERS[base]][:, 0], model.predict(batch)
    order = number.argsort()
    assert (score[order].diff() >= 0).all() or (score[order].diff() <= 0).all()
    assert len(score.unique()) == len(number.unique()) > 10
    (weight,) = model.weights.weight.flatten()
    assert torch.allclose(torch.logit(score), weight * number + model.weights.bias, atol=1e-5)
    old = data.batch(torch.from_numpy(data.split.rows("old")))
    rest = torch.logit(model.predict(old)) - weight * old[NUMBERS[base]][:, 0] - model.weights.bias
    for item in old["item_id"].unique():  # the same for all of an item's samples
        biases = rest[old["item_id"] == item]
        assert (biases - biases[0]).abs().max() < 1e-5
        assert biases[0].abs() > 0.01


@pytest.mark.parametrize("base", RIVALS)
def test_a_run_through_the_phases(settings, base):
    given = {**settings, **TASTE, "boost_rounds": 5}
    warm = run(base, dataset="tiny", config_dict=given).phases
    still = run(base, dataset="tiny", config_dict={**given, "warm_up_epochs": 0}).phases
    assert warm["cold"] == still["cold"]
    assert warm["warm_a"] != still["warm_a"]
    assert still["warm_a"]["fixed_test"] == still["cold"]["fixed_test"]


@pytest.mark.parametrize("base", RIVALS)
@pytest.mark.parametrize("method", ["plain", "MWUF", "MeLU"])
def test_methods_and_checkpoints(settings, method, base):
    given = {**settings, **TASTE, "boost_rounds": 5, "base_phases": False}
    assert run(base if method == "plain" else method, base, "tiny", config_dict=given).checkpoint


@pytest.mark.parametrize("base", RIVALS)
def test_online_equals_the_phases(arrive, base):  # noqa: F811
    arrived = arrive(base, base, **TASTE, boost_rounds=5)
    warmer = ItemWarmer.load(arrived.path)
    for phase in WARM_SETS:
        arrived.trainer.consume(arrived.data, phase)
        warmer.observe(arrived.interactions(phase), networks=True)
        difference = trainer_scores(arrived, phase) - online_scores(arrived, warmer)
        assert np.abs(difference).max() < FLOAT_ERROR


def test_trees_of_TasteBoost(trained):  # noqa: N802
    """They are grown from the old items' numbers, one for all epochs, and travel as text."""
    config, data, model = trained("TasteBoost", **TASTE, epochs=2, boost_rounds=7)
    assert model._trees.num_trees() == 7
    assert model._trees.feature_name() == [f"Column_{i}" for i in range(len(data.taste.names))]
    batch = data.batch(new_rows(data), "cold")
    expected = model._trees.predict(model.numbers(batch).numpy())
    assert np.allclose(model.predict(batch).detach(), expected, atol=1e-6)
    again = create_base(config, data)
    assert again.predict(batch).unique().tolist() == [0.5]
    names = {"trained_for": checkpoint.ANY_METHOD, "early_stopped": False}
    checkpoint.save("base.pth", "base", model, data, model="TasteBoost", **names)
    checkpoint.load_base("base.pth", again, data)
    assert torch.equal(again.predict(batch), model.predict(batch))


def test_TasteBoost_without_lightgbm(make, monkeypatch):  # noqa: N802
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(UserError, match=r"pip install 'recbole-mwuf\[boost\]'"):
        create_base(*make("TasteBoost", **TASTE))


@pytest.mark.parametrize("base", NUMBERS)
def test_without_taste_features(make, base):
    with pytest.raises(UserError, match="reads taste features: name the item fields"):
        create_base(*make(base))


def test_TasteBoost_is_not_exported(arrive):  # noqa: F811, N802
    pytest.importorskip("onnxscript")
    from recbole_mwuf.online.export import export

    arrived = arrive("TasteBoost", "TasteBoost", **TASTE, boost_rounds=2)
    with pytest.raises(UserError, match="base=TasteBoost cannot be written as ONNX"):
        export(ItemWarmer.load(arrived.path), "served")
