"""KalmanWarmUp on bases: what it computes, what it leaves alone, what it does not see."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from recbole_mwuf.data import EVENT_TIME, PHASES, WARM_SETS, ItemLoader, SetLoader
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base.afn import AFN
from recbole_mwuf.model.item_table import ItemIDs, coordinates_of
from recbole_mwuf.model.warm_up.kalman import KalmanWarmUp
from recbole_mwuf.model.warm_up.posterior import Evidence, update
from recbole_mwuf.trainer import WarmUpTrainer, score

BASES = ["FM", "WideDeep", "DCN", "AFN", "GRU4Rec", "DIN"]


@pytest.fixture
def kalman(trained):
    """Builds (trainer before its first warm-up set, model, data)."""

    def build(base="WideDeep", **changes):
        config, data, module = trained("KalmanWarmUp", base, **changes)
        trainer = WarmUpTrainer(config, KalmanWarmUp(config, data, module))
        trainer.start_new_items(data)
        return trainer, trainer.model.eval(), data

    return build


def test_scores(trainer, data, phase):
    return score(trainer.model, SetLoader(data, "test", 64, phase))


test_scores.__test__ = False


def warm_a_of(model, data, token="5"):
    """One item and the batch of its warm-a rows."""
    item = data.token2id("item_id", token)
    (batch,) = [b for b in ItemLoader(data, "warm_a", 1) if b["item_id"][0] == item]
    assert (batch["item_id"] == item).all()
    return torch.tensor([item]), batch


def test_one_item_against_an_exact_logistic_regression(kalman):
    """An FM's logit is linear in an item's parameters: scipy finds the same optimum."""
    trainer, model, data = kalman("FM", kalman_iterations=30)
    item, batch = warm_a_of(model, data)
    k, labels = model.table.size, batch["label"].numpy()

    def logits(theta):
        ids = ItemIDs(*torch.from_numpy(theta).float().expand(3, -1).split([k, 1], dim=1))
        with torch.no_grad():
            return model.table.logits(batch, ids).double().numpy()

    constant = logits(np.zeros(k + 1))
    inputs = np.stack([logits(unit) - constant for unit in np.eye(k + 1)], axis=1)
    mean = torch.cat([*model.start(item)], dim=1)[0].detach().double().numpy()
    precision = model.prior.precision.numpy()

    def objective(theta):
        f, away = constant + inputs @ theta, theta - mean
        return (np.logaddexp(0, f) - labels * f).sum() + away @ precision @ away / 2

    trainer.consume(data, "warm_a")
    exact = minimize(objective, mean, method="BFGS", options={"gtol": 1e-9})
    found = model.believed(item)
    moved = np.abs(exact.x - mean).max()
    np.testing.assert_allclose(found.mean[0], exact.x, atol=1e-3 * moved)
    p = 1 / (1 + np.exp(-(constant + inputs @ exact.x)))
    hessian = precision + (inputs * (p * (1 - p))[:, None]).T @ inputs
    np.testing.assert_allclose(found.precision[0], hessian, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("base", BASES)
def test_the_gradient_of_every_sample_is_its_own(kalman, base):
    """Against finite differences of that sample's logit alone, its history as it was then."""
    _, model, data = kalman(base)
    model.double()
    rows = torch.from_numpy(data.split.rows("warm_b")[:6])
    batch = data.batch(rows)
    ids = ItemIDs(*(part.detach() for part in model.new_ids(batch["item_id"]) if part is not None))
    theta = model.theta_of(ids)
    logits, jacobian = model.linearised(batch, theta, ids)
    torch.testing.assert_close(logits, model.table.logits(batch, ids), atol=1e-5, rtol=1e-4)
    step = 1e-5
    for row in range(len(rows)):
        one = data.batch(rows[row : row + 1])
        own = ItemIDs(*(part[row : row + 1] for part in ids if part is not None))
        for i in (0, 7, theta.shape[1] - 1):
            away = torch.zeros_like(theta[:1])
            away[0, i] = step
            ends = [
                model.table.logits(one, model.ids_of(theta[row] + sign * away, signs, None))
                for sign in (1, -1)
                for signs in [own.embedding.sign()]
            ]
            slope = (ends[0] - ends[1]).item() / (2 * step)
            assert jacobian[row, i].item() == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("base", ["WideDeep", "AFN", "GRU4Rec", "DIN"])
def test_a_set_is_learned_as_its_samples_one_by_one_say(kalman, base):
    """Every sample in a batch of its own, with the history it had then; drift between the sets."""
    trainer, model, data = kalman(base, kalman_drift=1e-3)
    item, _ = warm_a_of(model, data)
    signs, d = model.new_ids(item).embedding.detach().sign(), model.store.size
    for phase in ("warm_a", "warm_b"):
        rows = data.split.rows(phase)
        rows = torch.from_numpy(rows[data.items_of(rows) == item.item()])
        batches = [data.batch(row) for row in rows.split(1)]

        def evidence(theta, which, batches=batches):
            theta = theta.float().requires_grad_()
            total = Evidence(*(torch.zeros(1, *shape).double() for shape in ((), (d,), (d, d))))
            for one in batches:
                with torch.enable_grad():
                    f = model.table.logits(one, model.ids_of(theta, signs, None))
                    (slope,) = torch.autograd.grad(f, theta)
                y, f, slope = one["label"].double(), f.detach().double(), slope.double()
                p, outer = torch.sigmoid(f), slope.unsqueeze(2) * slope.unsqueeze(1)
                loss = torch.nn.functional.softplus(f) - y * f
                parts = loss, (p - y) * slope, p * (1 - p) * outer
                total = Evidence(*(a + b for a, b in zip(total, parts)))
            return total

        time = torch.from_numpy(data.times[rows]).max().view(1)
        prior = model.believed(item, time)
        expected = update(prior, evidence, 2)
        trainer.consume(data, phase)
        found = model.believed(item)
        torch.testing.assert_close(found.mean, expected.mean, atol=1e-4, rtol=1e-3)
        off = (found.precision - expected.precision).abs().max()
        gained = (expected.precision - prior.precision).abs().max()
        assert off < 0.01 * gained


def test_the_prior_is_that_of_the_old_items(kalman):
    """Common: mean and covariance of their rows; fails if a new item's untrained row counts."""
    _, model, data = kalman(kalman_prior="common", kalman_prior_scale=2.0, kalman_folds=4)
    old = [data.token2id("item_id", str(i)) for i in (1, 2, 3, 4)]
    rows = torch.cat([*model.table.rows(torch.tensor(old))], dim=1).double()
    new = torch.from_numpy(data.split.is_new).nonzero().squeeze(1)
    start = torch.cat([*model.new_ids(new)], dim=1).double()
    torch.testing.assert_close(start, rows.mean(0).expand_as(start), atol=1e-6, rtol=1e-5)
    # each left out of the mean of the other three; 17 further ones without correlations
    left = torch.stack([rows[i] - rows[[j for j in range(4) if j != i]].mean(0) for i in range(4)])
    covariance = left.T @ left / 4
    covariance = (4 * covariance + 17 * covariance.diagonal().diag()) / 21
    covariance = 2.0 * covariance + torch.zeros(17).index_fill(0, torch.tensor([16]), 0.05).diag()
    found = torch.linalg.inv(model.prior.precision)
    torch.testing.assert_close(found, covariance, atol=1e-7, rtol=1e-4)


def test_content_tells_new_items_apart(kalman):
    _, model, data = kalman(kalman_prior="content", kalman_ridge=1e-3)
    new = torch.from_numpy(data.split.is_new).nonzero().squeeze(1)
    x = torch.cat([model.item_features[new], torch.ones(len(new), 1)], dim=1)
    start = torch.cat([*model.new_ids(new)], dim=1)
    torch.testing.assert_close(start, x @ model.prior.weights)
    assert start.std(0).max() > 1e-3


def test_no_item_features(trained):
    load_col = {"inter": ["user_id", "item_id", "label", "timestamp"], "user": ["user_id", "age"]}
    config, data, base = trained("KalmanWarmUp", load_col=load_col)
    with pytest.raises(UserError, match="or take kalman_prior=common"):
        KalmanWarmUp(config, data, base)
    config["kalman_prior"] = "common"
    model = KalmanWarmUp(config, data, base)
    model.start_new_items()
    assert model.prior.weights.shape == (1, 17)


def test_one_old_item_is_no_prior(trained):
    config, data, base = trained("KalmanWarmUp")
    model = KalmanWarmUp(config, data, base)
    model.is_old[model.is_old.nonzero()[1:]] = False
    with pytest.raises(UserError, match="learns its prior from old items, but there are 1"):
        model.start_new_items()


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("probit", [False, True])
def test_old_items_keep_their_scores_bit_for_bit(kalman, base, probit):
    trainer, model, data = kalman(base, kalman_probit=probit)
    state = {n: v.clone() for n, v in model.base.state_dict().items()}
    rows = data.batch(torch.from_numpy(data.split.rows("old")), "cold")
    model.base.eval()
    expected = model.base.predict(rows)
    for phase in WARM_SETS:
        trainer.consume(data, phase)
        model.eval()
        assert torch.equal(model.predict(rows), expected)
    for name, value in model.base.state_dict().items():
        assert torch.equal(value, state[name]), name


@pytest.mark.parametrize("base", BASES)
def test_nobody_sees_the_future(kalman, base):
    """The labels of what is still to come change nothing that is said before."""
    results = []
    for flipped in (False, True):
        trainer, _, data = kalman(base)
        trainer.consume(data, "warm_a")
        if flipped:  # before warm-b: the labels of warm-c and test
            rows = np.isin(data.split.set_of_row, [3, 4])
            data.inter_feat["label"][torch.from_numpy(rows)] = 1 - data.inter_feat["label"][rows]
        trainer.consume(data, "warm_b")
        results.append(test_scores(trainer, data, "warm_b"))
        trainer.consume(data, "warm_c")
        results.append(test_scores(trainer, data, "warm_c"))
    assert torch.equal(results[0], results[2])
    assert not torch.allclose(results[1], results[3])


def test_untrained_rows_of_new_items_are_not_read(kalman):
    _, model, data = kalman()
    new = torch.from_numpy(~data.split.is_old).nonzero().squeeze(1)
    before = {n: b.clone() for n, b in model.named_buffers() if n.startswith("prior.")}
    model.table.assign(
        new, ItemIDs(torch.full((len(new), 16), 9.0), torch.full((len(new), 1), 9.0))
    )
    model.start_new_items()
    for name, value in before.items():
        assert torch.equal(value, model.get_buffer(name)), name


@pytest.mark.parametrize("base", ["FM", "WideDeep", "DIN"])
def test_the_order_of_samples_does_not_matter(kalman, base):
    _, model, data = kalman(base)
    (batch,) = ItemLoader(data, "warm_a", 4096)
    state = {n: v.clone() for n, v in model.state_dict().items()}
    means = []
    for order in (torch.arange(len(batch)), torch.arange(len(batch)).flip(0)):
        model.load_state_dict(state)
        shuffled = {name: column[order] for name, column in batch.interaction.items()}
        model.absorb(type(batch)(shuffled))
        means.append(model.new_ids.embedding.weight.detach().clone())
    assert not torch.allclose(means[0], state["new_ids.embedding.weight"], atol=1e-3)
    torch.testing.assert_close(means[0], means[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("base", ["FM", "WideDeep"])
def test_one_by_one_is_near_all_at_once(kalman, base):
    """Up to where each sample was linearised."""
    _, model, data = kalman(base, kalman_iterations=20)
    (batch,) = ItemLoader(data, "warm_a", 4096)
    start = {n: v.clone() for n, v in model.state_dict().items()}
    new = batch["item_id"].unique()
    model.absorb(batch)
    whole = model.believed(new)
    model.load_state_dict(start)
    before = model.believed(new)
    for row in torch.arange(len(batch)).split(1):
        model.absorb(type(batch)({n: c[row] for n, c in batch.interaction.items()}))
    one_by_one = model.believed(new)
    deviations = whole.covariance().diagonal(dim1=1, dim2=2).sqrt()
    moved = ((whole.mean - before.mean) / deviations).abs().max()
    apart = ((one_by_one.mean - whole.mean) / deviations).abs().max()
    assert apart < 0.1 * moved


@pytest.mark.parametrize("base", ["WideDeep", "AFN", "DIN"])
def test_one_sample_of_an_item_takes_one_pass(kalman, base, monkeypatch):
    """That it is near what all samples at once give: the test above."""
    _, model, data = kalman(base)
    _, batch = warm_a_of(model, data)
    passes, logits = [], model.table.logits
    monkeypatch.setattr(model.table, "logits", lambda *a: passes.append(1) or logits(*a))
    model.absorb(type(batch)({n: c[:1] for n, c in batch.interaction.items()}))
    assert len(passes) == 1
    model.absorb(type(batch)({n: c[1:3] for n, c in batch.interaction.items()}))
    assert len(passes) >= 1 + model.iterations + 1  # more if a step is halved


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_every_set_makes_surer(kalman, covariance):
    """The variance of every test logit of an FM, whose gradient stays where it was."""
    trainer, model, data = kalman("FM", kalman_covariance=covariance)
    rows = data.batch(torch.from_numpy(data.split.rows("test")), "cold")
    _, before = model.uncertainty(rows)
    for phase in WARM_SETS:
        trainer.consume(data, phase)
        model.eval()
        logits, variance = model.uncertainty(rows)
        torch.testing.assert_close(torch.sigmoid(logits), model.predict(rows))
        assert (variance <= before * 1.0001).all()
        assert variance.mean() < 0.98 * before.mean()
        before = variance
    old = data.batch(torch.from_numpy(data.split.rows("old")[:20]), "cold")
    assert (model.uncertainty(old)[1] == 0).all()


def test_variance_is_that_of_draws(kalman):
    trainer, model, data = kalman("FM")
    trainer.consume(data, "warm_a")
    model.eval()
    rows = data.batch(torch.from_numpy(data.split.rows("test")[:1]), "warm_a")
    logit, variance = model.uncertainty(rows)
    n = 40_000
    many = type(rows)({name: c.expand(n, *c.shape[1:]) for name, c in rows.interaction.items()})
    drawn = model.draw(many["item_id"], torch.Generator().manual_seed(1))
    logits = model.table.logits(many, drawn)
    assert logits.mean().item() == pytest.approx(logit.item(), abs=0.05 * variance.sqrt().item())
    assert logits.var().item() == pytest.approx(variance.item(), rel=0.03)


def test_probit_corrected_scores_by_hand(kalman):
    trainer, model, data = kalman(kalman_probit=True)
    trainer.consume(data, "warm_a")
    model.eval()
    rows = data.batch(torch.from_numpy(data.split.rows("test")), "warm_a")
    logits, variance = model.uncertainty(rows)
    expected = torch.sigmoid(logits / torch.sqrt(1 + np.pi / 8 * variance))
    torch.testing.assert_close(model.predict(rows), expected)
    model.probit = False
    plain = model.predict(rows)
    assert ((plain - 0.5).abs() >= (expected - 0.5).abs()).all()
    assert not torch.allclose(plain, expected)


def test_diagonal_keeps_few_numbers_and_the_same_first_scores(kalman):
    scores, widths = [], []
    for covariance in ("full", "diagonal"):
        trainer, model, data = kalman(kalman_covariance=covariance)
        trainer.consume(data, "warm_a")
        scores.append(test_scores(trainer, data, "warm_a"))
        widths.append(model.information.shape[1])
    assert widths == [17 * 18 // 2, 17]
    torch.testing.assert_close(scores[0], scores[1])


def test_coordinates_of_afn_by_hand(kalman):
    """log |e| with the signs of the old items' mean; its gradient is that by e, times e."""
    trainer, model, data = kalman("AFN", kalman_prior="common")
    old = torch.from_numpy(data.split.is_old).nonzero().squeeze(1)
    rows = model.table.rows(old).embedding.detach()
    mean = rows.abs().log().mean(0).exp() * rows.mean(0).sign()
    item, batch = warm_a_of(model, data)
    torch.testing.assert_close(model.new_ids(item).embedding[0], mean)

    ids = model.new_ids(batch["item_id"])
    theta = model.theta_of(ids)
    torch.testing.assert_close(theta, ids.embedding.abs().log())
    _, jacobian = model.linearised(batch, theta, ids)
    embedding = ids.embedding.detach().requires_grad_()
    (by_embedding,) = torch.autograd.grad(
        model.table.logits(batch, ItemIDs(embedding)).sum(), embedding
    )
    torch.testing.assert_close(jacobian, by_embedding * embedding.detach(), atol=1e-5, rtol=1e-3)

    trainer.consume(data, "warm_a")
    learned = model.new_ids(item).embedding[0]
    assert torch.equal(learned.sign(), mean.sign())
    assert not torch.allclose(learned, mean)


def test_unknown_coordinates_are_refused():
    class Curved(AFN):
        id_coordinates = "polar"

    with pytest.raises(UserError, match="base=Curved: id_coordinates is 'polar', but must be"):
        coordinates_of(Curved.__new__(Curved))


def test_first_order_weights_that_stay(kalman):
    trainer, model, data = kalman(warm_up_first_order=False)
    assert model.prior.precision.shape == (16, 16)
    before = model.new_ids.first_order.weight.clone()
    embedding = model.new_ids.embedding.weight.clone()
    trainer.consume(data, "warm_a")
    assert torch.equal(before, model.new_ids.first_order.weight)
    assert not torch.equal(embedding, model.new_ids.embedding.weight)


def test_drift_brings_the_priors_doubt_back(kalman):
    """P ← P + q Δt P0 for an item with samples; the prior of one without stays."""
    trainer, model, data = kalman(kalman_drift=0.01)
    item, _ = warm_a_of(model, data)
    trainer.consume(data, "warm_a")
    other = torch.tensor([data.token2id("item_id", "10")])  # neither old nor new
    items, time = torch.cat([item, other]), model.last_time[item] + 50
    start = torch.linalg.inv(model.prior.precision)
    now = model.believed(items).covariance()
    later = model.believed(items, time.expand(2)).covariance()
    torch.testing.assert_close(later[0], now[0] + 0.5 * start)
    torch.testing.assert_close(later[1], start)
    earlier = model.believed(items, time.expand(2) - 100).covariance()
    torch.testing.assert_close(earlier, now)
    before = model.last_time[item].item()
    trainer.consume(data, "warm_b")
    assert model.last_time[item].item() >= before > 1e9


def test_drift_at_times_below_zero(kalman):
    """A clock may count from any day: the first sample sets an item's time, whatever it is."""
    trainer, model, data = kalman(kalman_drift=0.01)
    item, _ = warm_a_of(model, data)
    data.times = data.times - 2 * data.times.max()
    trainer.consume(data, "warm_a")
    latest = data.times[data.split.rows("warm_a")].max()
    assert model.last_time[item].item() <= latest < 0
    later = model.believed(item, model.last_time[item] + 50).covariance()
    start = torch.linalg.inv(model.prior.precision)
    torch.testing.assert_close(later[0], model.believed(item).covariance()[0] + 0.5 * start)


def test_a_drift_for_another_unit_of_time_forgets_and_does_not_fail(kalman):
    """Of the prior's covariance at most all of it comes back between two batches."""
    trainer, model, data = kalman(kalman_drift=1e9)
    item, _ = warm_a_of(model, data)
    start = torch.linalg.inv(model.prior.precision)
    trainer.consume(data, "warm_a")
    later = model.believed(item, model.last_time[item] + 1e6).covariance()
    torch.testing.assert_close(later[0], model.believed(item).covariance()[0] + start)
    for phase in WARM_SETS[1:]:
        trainer.consume(data, phase)
        assert torch.isfinite(test_scores(trainer, data, phase)).all()
    assert torch.linalg.eigvalsh(model.believed(item).precision).min() > 0


def test_more_items_start_from_the_prior(kalman):
    trainer, model, data = kalman()
    trainer.consume(data, "warm_a")
    n = data.item_num
    old = {name: value.clone() for name, value in model.state_dict().items()}
    model.grow(n + 2)
    for name in ("information", "last_time", "new_ids.embedding.weight"):
        value = model.state_dict()[name]
        assert len(value) == n + 2 and torch.equal(value[:n], old[name])
        assert (value[n:] == 0).all()
    model.item_features[n] = model.item_features[1]
    model.new_ids.assign(torch.tensor([n]), model.start(torch.tensor([n])))
    known = model.believed(torch.tensor([n]))
    torch.testing.assert_close(known.precision[0], model.prior.precision)


def test_a_run_needs_no_step_two_and_one_pass(kalman):
    trainer, model, data = kalman(warm_up_epochs=3)
    note = "warm_up_epochs=3 has no effect on model=KalmanWarmUp"
    assert [line for line in trainer.config.notes if "warm_up" in line] == [note]
    assert not model.has_meta_training
    trainer.meta_train(data)
    assert trainer.meta_samples == 0
    trainer.run_phases(data)
    assert trainer.loop.samples == 45  # five items, three sets of K = 3: once each
    assert list(trainer.run_phases(data)) == list(PHASES)  # a second time from the start


def test_batches_hold_whole_items_and_their_times(make):
    _, data = make("KalmanWarmUp")
    for size, n_batches in ((1, 5), (4, 4), (4096, 1)):
        loader = ItemLoader(data, "warm_a", size)
        batches = list(loader)
        assert len(batches) == len(loader) == n_batches
        items = [set(batch["item_id"].tolist()) for batch in batches]
        assert sum(map(len, items)) == len(set.union(*items)) == 5
        assert sum(map(len, batches)) == loader.sample_size == 15
        for batch in batches:
            assert batch[EVENT_TIME].dtype == torch.float64
    rows = ItemLoader(data, "warm_a", 4096).rows
    assert batches[0][EVENT_TIME].tolist() == data.times[rows].tolist()
    assert sorted(rows) == sorted(data.split.rows("warm_a"))
    assert list(ItemLoader(data, "validation", 4)) == []
