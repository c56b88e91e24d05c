"""KalmanWarmUp online: the phases' own update, event by event, and what it is sure of."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from recbole_mwuf.cli import main
from recbole_mwuf.data import WARM_SETS
from recbole_mwuf.errors import UserError
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.online.export import export
from tests.online.test_equals_phases import FLOAT_ERROR, online_scores, trainer_scores

USERS = [str(u) for u in range(1, 31)]


@pytest.fixture
def kalman(arrive):
    """Builds (what training left before the first warm-up set, a warmer loaded from it)."""

    def build(base="WideDeep", **changes):
        arrived = arrive("KalmanWarmUp", base, **changes)
        return arrived, ItemWarmer.load(arrived.path)

    return build


def known(warmer, token="5"):
    (item,) = warmer.catalog.ids("item_id", [token])
    return warmer.model.believed(torch.tensor([item]))


@pytest.mark.parametrize("base", ["WideDeep", "DIN", "AFN"])
@pytest.mark.parametrize("changes", [{}, {"kalman_drift": 1e-3}, {"kalman_covariance": "diagonal"}])
def test_warm_sets_through_observe_equal_the_phases(kalman, base, changes):
    arrived, warmer = kalman(base, **changes)
    before = trainer_scores(arrived, "cold")
    assert np.abs(before - online_scores(arrived, warmer)).max() < FLOAT_ERROR
    for phase in WARM_SETS:
        arrived.trainer.consume(arrived.data, phase)
        assert warmer.observe(arrived.interactions(phase)).learned == 15
        warmer.save("state.pth")  # and goes on from the file
        assert "state_dict" in torch.load("state.pth", weights_only=True)
        warmer = ItemWarmer.load("state.pth")
        expected = trainer_scores(arrived, phase)
        assert np.abs(expected - online_scores(arrived, warmer)).max() < FLOAT_ERROR
        assert np.abs(expected - before).max() > 100 * FLOAT_ERROR
        before = expected
    ours, theirs = warmer.model.state_dict(), arrived.trainer.model.state_dict()
    for name in ("information", "last_time", "prior.precision"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-4)


def test_added_items_learn_as_those_that_training_set_aside(kalman):
    arrived, warmer = kalman()
    tokens = pd.Series(sorted(set(arrived.interactions("test")["item_id"])))
    features = pd.DataFrame(
        {
            "item_id": "fresh-" + tokens,
            "category": [f"c{int(i) % 3}" for i in tokens],
            "tags": [" ".join(f"t{j}" for j in range(int(i) % 3 + 1)) for i in tokens],
        }
    )
    for row in range(len(features)):  # one by one: the tables grow several times
        warmer.add_items(features[row : row + 1])
    pairs = arrived.interactions("test")
    fresh = "fresh-" + pairs["item_id"]
    for phase in ("cold", *WARM_SETS):
        if phase != "cold":
            arrived.trainer.consume(arrived.data, phase)
            rows = arrived.interactions(phase)
            warmer.observe(rows.assign(item_id="fresh-" + rows["item_id"]))
        found = warmer.score(pairs["user_id"], fresh)
        assert np.abs(found - trainer_scores(arrived, phase)).max() < FLOAT_ERROR


def test_one_event_is_a_rank_one_update(kalman):
    """P - P J Jᵀ P / (1 / (p (1 - p)) + Jᵀ P J), and no other item moves."""
    arrived, warmer = kalman("FM")
    event = arrived.interactions("warm_a").query("item_id == '5'")[:1]
    before, others = known(warmer), warmer.score(USERS, ["6"] * 30)
    warmer.observe(event)
    after = known(warmer)
    removed = before.covariance()[0] - after.covariance()[0]
    values = torch.linalg.eigvalsh(removed)
    assert values[-1] > 0 and values[:-1].abs().max() < 1e-4 * values[-1]
    user, item = event["user_id"].item(), "5"
    score = warmer.score([user], [item], uncertainty=True)
    p, less = score.scores[0], score.variances[0]
    # the variance of that pair's logit: 1 / (1 / before + p (1 - p))
    _, fresh = kalman("FM")
    variance = fresh.score([user], [item], uncertainty=True).variances[0]
    assert less == pytest.approx(1 / (1 / variance + p * (1 - p)), rel=1e-3)
    assert np.array_equal(others, warmer.score(USERS, ["6"] * 30))


def test_event_by_event_is_near_all_at_once(kalman):
    arrived, whole = kalman()
    _, single = kalman()
    events = arrived.interactions("warm_a")
    start = online_scores(arrived, whole)
    whole.observe(events)
    for row in range(len(events)):
        single.observe(events[row : row + 1])
    moved = np.abs(online_scores(arrived, whole) - start).max()
    assert np.abs(online_scores(arrived, whole) - online_scores(arrived, single)).max() < moved / 5


def test_scores_with_their_uncertainty(kalman):
    arrived, warmer = kalman()
    plain = warmer.score(USERS, ["5"] * 30)
    scored = warmer.score(USERS, ["5"] * 30, uncertainty=True)
    assert np.array_equal(scored.scores, plain)
    assert scored.variances.dtype == np.float32 and (scored.variances > 0).all()
    warmer.observe(arrived.interactions("warm_a"))
    less = warmer.score(USERS, ["5"] * 30, uncertainty=True).variances
    assert less.mean() < scored.variances.mean()
    old = warmer.score(USERS, ["1"] * 30, uncertainty=True)
    assert (old.variances == 0).all()
    empty = warmer.score([], [], uncertainty=True)
    assert len(empty.scores) == len(empty.variances) == 0
    assert len(warmer.score([], [], explore="thompson")) == 0


def test_exploring(kalman):
    """Old items keep their scores; what is learned leaves less to explore."""
    arrived, warmer = kalman()
    pairs = (USERS * 2, ["5"] * 30 + ["1"] * 30)
    plain, variance = warmer.score(*pairs, uncertainty=True)
    hoped = warmer.score(*pairs, explore="ucb", c=2.0)
    logit = np.log(plain / (1 - plain)) + 2 * np.sqrt(variance)
    np.testing.assert_allclose(hoped[:30], 1 / (1 + np.exp(-logit[:30])), rtol=1e-4)
    assert np.array_equal(hoped[30:], plain[30:])
    assert np.array_equal(warmer.score(*pairs, explore="ucb", c=0.0)[30:], plain[30:])

    draws = np.stack([warmer.score(*pairs, explore="thompson", seed=s) for s in range(200)])
    assert np.array_equal(draws[0], warmer.score(*pairs, explore="thompson", seed=0))
    assert (draws[:, 30:] == plain[30:]).all()
    logits = np.log(draws / (1 - draws))[:, :30]
    middle = np.log(plain / (1 - plain))[:30]
    assert np.abs(logits.mean(0) - middle).max() < 4 * np.sqrt(variance[:30].max() / 200) + 0.05
    # one draw for all pairs of an item: what the users have in common moves together
    assert np.corrcoef(logits.T)[0, 1:].mean() > 0.3
    first = warmer.score(*pairs, explore="thompson")
    assert not np.array_equal(first, warmer.score(*pairs, explore="thompson"))

    for phase in WARM_SETS:
        warmer.observe(arrived.interactions(phase))
    later = np.stack([warmer.score(*pairs, explore="thompson", seed=s) for s in range(50)])
    spread = np.log(later / (1 - later))[:, :30].std(0)
    assert spread.mean() < logits.std(0).mean()


def test_what_cannot_be_asked_is_refused(kalman, arrive):
    _, warmer = kalman()
    with pytest.raises(UserError, match="explore is 'greedy', but must be thompson or ucb"):
        warmer.score(["1"], ["5"], explore="greedy")
    with pytest.raises(UserError, match="c is nan, but must be a number from 0 on"):
        warmer.score(["1"], ["5"], explore="ucb", c=float("nan"))
    other = ItemWarmer.load(arrive("MWUF").path)
    for asked in ({"uncertainty": True}, {"explore": "ucb"}):
        with pytest.raises(UserError, match="model=MWUF does not know how sure it is"):
            other.score(["1"], ["5"], **asked)


def test_promoted_items_are_the_bases(kalman):
    arrived, warmer = kalman()
    warmer.observe(arrived.interactions("warm_a"))
    before = warmer.score(USERS, ["5"] * 30)
    assert warmer.promote(["5"]) == ["5"]
    assert np.array_equal(before, warmer.score(USERS, ["5"] * 30))
    assert (warmer.score(USERS, ["5"] * 30, uncertainty=True).variances == 0).all()
    assert warmer.observe(arrived.interactions("warm_b")).old_items == 3
    assert np.array_equal(before, warmer.score(USERS, ["5"] * 30))


def test_on_the_command_line(kalman):
    arrived, warmer = kalman()
    arrived.interactions("warm_a").to_csv("events.csv", index=False)
    pairs = pd.DataFrame({"user_id": USERS * 2, "item_id": ["5"] * 30 + ["1"] * 30})
    pairs.to_csv("pairs.csv", index=False)
    warm = ["warm", f"--checkpoint={arrived.path}", "--interactions=events.csv"]
    assert main([*warm, "--output=rows.csv", "--save=state.pth"]) == 0
    score = ["score", "--checkpoint=state.pth", "--pairs=pairs.csv"]
    assert main([*score, "--output=scores.csv", "--uncertainty"]) == 0
    assert main([*score, "--output=hoped.csv", "--explore=ucb", "--c=1.5"]) == 0
    warmer.observe(arrived.interactions("warm_a"))
    scores, variances = warmer.score(pairs["user_id"], pairs["item_id"], uncertainty=True)
    found, hoped = pd.read_csv("scores.csv"), pd.read_csv("hoped.csv")
    np.testing.assert_allclose(found["score"], scores, atol=1e-6)
    np.testing.assert_allclose(found["variance"], variances, atol=1e-6)
    assert (hoped["score"][:30] > scores[:30]).all()
    assert list(hoped.columns) == ["user_id", "item_id", "score"]


@pytest.mark.parametrize("probit", [False, True])
def test_an_exported_scorer_says_that_it_knows_no_uncertainty(kalman, monkeypatch, caplog, probit):
    pytest.importorskip("onnxscript")
    monkeypatch.setattr("recbole_mwuf.online.export._write_onnx", lambda _, path: path.touch())
    export(kalman(kalman_probit=probit)[1], "served")
    assert ("scorer.onnx scores without kalman_probit=True" in caplog.text) == probit


@pytest.mark.slow
@pytest.mark.parametrize("base", ["WideDeep", "AFN", "DIN"])
def test_served_scores_are_the_same(kalman, base):
    """The exported scorer takes the posterior's mean as the item's row."""
    onnxruntime = pytest.importorskip("onnxruntime")
    arrived, warmer = kalman(base)
    warmer.observe(arrived.interactions("warm_a"))
    warmer.save("state.pth")
    assert main(["export", "--checkpoint=state.pth", "--output=served"]) == 0
    with open("served/vocabulary.json", encoding="utf-8") as file:
        tokens = json.load(file)["user_id"]
    ids = torch.from_numpy(warmer.catalog.ids("item_id", ["5"] * 30))
    row = warmer.model.warm(ids)
    inputs = {
        "user_id": np.array([tokens.index(u) for u in USERS]),
        "item_embedding": row.embedding.detach().numpy(),
        **{name: warmer.catalog.item_feat[name][ids].numpy() for name in ("category", "tags")},
        "history": warmer.items.recent[ids],
        "history_length": warmer.items.seen[ids],
    }
    if row.first_order is not None:
        inputs["item_first_order"] = row.first_order.detach().numpy()
    session = onnxruntime.InferenceSession("served/scorer.onnx")
    names = {i.name for i in session.get_inputs()}
    (scores,) = session.run(None, {n: v for n, v in inputs.items() if n in names})
    np.testing.assert_allclose(scores, warmer.score(USERS, ["5"] * 30), atol=1e-5)
