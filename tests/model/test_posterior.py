"""The algebra of KalmanWarmUp against scipy, numpy and hand-worked numbers."""

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime, minimize

from recbole_mwuf.model.warm_up.posterior import (
    Diagonal,
    Evidence,
    Gaussian,
    Triangle,
    forget,
    inverse,
    linear_evidence,
    log_loss_evidence,
    update,
)

DOUBLE = torch.float64


def logistic(x, y, model_of_row=None, n_models=1):
    """The likelihood of logistic regressions with inputs x ``[B, d]`` and labels y ``[B]``."""
    of_row = torch.zeros(len(x), dtype=torch.long) if model_of_row is None else model_of_row

    def evidence(theta, which):
        place = torch.full((n_models,), -1)
        place[which] = torch.arange(len(which))
        rows = (place[of_row] >= 0).nonzero().squeeze(1)
        at = place[of_row[rows]]
        logits = (x[rows] * theta[at]).sum(1)
        return log_loss_evidence(logits, y[rows], x[rows], at, len(which))

    return evidence


def linear(x, y):
    """The likelihood of a linear regression with noise of variance 1."""

    def evidence(theta, which):
        residual = (x @ theta.T).T - y  # [1, B]
        return Evidence(
            residual.pow(2).sum(1) / 2, residual @ x, (x.T @ x).expand(len(theta), -1, -1)
        )

    return evidence


def samples(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=DOUBLE)
    return x, (torch.rand(n, generator=generator) < 0.6).to(DOUBLE)


def prior_of(n, d, seed=1):
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(n, d, d, generator=generator, dtype=DOUBLE)
    mean = torch.randn(n, d, generator=generator, dtype=DOUBLE)
    return Gaussian(mean, root @ root.mT + torch.eye(d))


def objective(theta, prior, x, y):
    """Negative log-posterior in numpy."""
    logits, away = x.numpy() @ theta, theta - prior.mean[0].numpy()
    loss = np.logaddexp(0, logits) - y.numpy() * logits
    return loss.sum() + away @ prior.precision[0].numpy() @ away / 2


@pytest.mark.parametrize("d", [1, 4])
def test_mode_and_curvature_are_those_of_the_exact_posterior(d):
    """One weight, and four, against scipy's optimum and a numerical Hessian."""
    x, y = samples(30, d)
    prior = prior_of(1, d)
    posterior = update(prior, logistic(x, y), iterations=30)
    exact = minimize(objective, np.zeros(d), (prior, x, y), method="BFGS", tol=1e-10)
    np.testing.assert_allclose(posterior.mean[0], exact.x, atol=1e-5)

    def slope(theta, i):
        return approx_fprime(theta, objective, 1e-6, prior, x, y)[i]

    hessian = np.stack([approx_fprime(exact.x, slope, 1e-4, i) for i in range(d)])
    np.testing.assert_allclose(posterior.precision[0], hessian, rtol=1e-3, atol=1e-2)


def test_one_step_by_hand():
    """θ ~ N(0, 4), one positive sample with J = 2: H = 1/4 + 4/4, g = 2 · 1/2, θ = g / H."""
    prior = Gaussian(torch.zeros(1, 1, dtype=DOUBLE), torch.full((1, 1, 1), 0.25, dtype=DOUBLE))
    x, y = torch.tensor([[2.0]], dtype=DOUBLE), torch.ones(1, dtype=DOUBLE)
    posterior = update(prior, logistic(x, y), iterations=1)
    assert posterior.mean.item() == pytest.approx(0.8)
    p = 1 / (1 + np.exp(-1.6))
    assert posterior.precision.item() == pytest.approx(0.25 + 4 * p * (1 - p))


def test_many_models_are_each_on_their_own():
    """All at once as one by one, whatever the order of the samples."""
    x, y = samples(40, 3)
    of_row = torch.arange(40) % 3
    prior = prior_of(4, 3)  # the fourth has no samples
    together = update(prior, logistic(x, y, of_row, 4), iterations=3)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    shuffled = update(prior, logistic(x[order], y[order], of_row[order], 4), iterations=3)
    torch.testing.assert_close(tuple(together), tuple(shuffled))
    for i in range(3):
        own = Gaussian(prior.mean[i : i + 1], prior.precision[i : i + 1])
        alone = update(own, logistic(x[of_row == i], y[of_row == i]), iterations=3)
        torch.testing.assert_close(together.mean[i], alone.mean[0])
        torch.testing.assert_close(together.precision[i], alone.precision[0])
    torch.testing.assert_close(together.mean[3], prior.mean[3])
    torch.testing.assert_close(together.precision[3], prior.precision[3])


def test_one_after_the_other_equals_all_at_once_where_it_is_linear():
    """Bayes' rule has no order: exact for a linear model, in any order and any parts."""
    x, y = samples(12, 3)
    prior = prior_of(1, 3)
    whole = update(prior, linear(x, y), iterations=1)
    for parts in (torch.arange(12).split(1), torch.arange(12).flip(0).split(5)):
        step = prior
        for part in parts:
            step = update(step, linear(x[part], y[part]), iterations=1)
        torch.testing.assert_close(tuple(step), tuple(whole))
    precision = prior.precision[0] + x.T @ x
    mean = torch.linalg.solve(precision, prior.precision[0] @ prior.mean[0] + x.T @ y)
    torch.testing.assert_close(whole.mean[0], mean)
    torch.testing.assert_close(whole.precision[0], precision)


def test_one_after_the_other_is_near_all_at_once_for_labels():
    """The order of labels matters only through where the curvature was taken."""
    x, y = samples(20, 3)
    prior = prior_of(1, 3)
    whole = update(prior, logistic(x, y), iterations=10)
    step = prior
    for row in torch.arange(20).split(1):
        step = update(step, logistic(x[row], y[row]), iterations=10)
    deviations = whole.covariance().diagonal(dim1=1, dim2=2).sqrt()
    assert ((step.mean - whole.mean).abs() / deviations).max() < 0.25
    assert ((whole.mean - prior.mean).abs() / deviations).max() > 1


def test_every_sample_makes_surer():
    x, y = samples(10, 3)
    step = prior_of(1, 3)
    for row in torch.arange(10).split(1):
        before, step = step, update(step, logistic(x[row], y[row]), iterations=2)
        shrunk = before.covariance()[0] - step.covariance()[0]
        assert torch.linalg.eigvalsh(shrunk).min() > -1e-12
        assert x[row[0]] @ shrunk @ x[row[0]] > 0


def test_a_single_sample_is_a_rank_one_update():
    """P - P J Jᵀ P / (1 / (p (1 - p)) + Jᵀ P J), p at the new mean."""
    x, y = samples(1, 4)
    prior = prior_of(1, 4)
    posterior = update(prior, logistic(x, y), iterations=2)
    p = torch.sigmoid(x[0] @ posterior.mean[0])
    spread = prior.covariance()[0] @ x[0]
    less = torch.outer(spread, spread) / (1 / (p * (1 - p)) + x[0] @ spread)
    torch.testing.assert_close(posterior.covariance()[0], prior.covariance()[0] - less)


def test_steps_that_would_make_it_worse_are_halved():
    """θ = 8 and nothing but negatives: p (1 - p) is near 0, the first step goes 1,000 too far."""
    x, y = torch.ones(3, 1, dtype=DOUBLE), torch.zeros(3, dtype=DOUBLE)
    prior = Gaussian(torch.full((1, 1), 8.0, dtype=DOUBLE), torch.full((1, 1, 1), 1e-3).double())
    seen = []
    likelihood = logistic(x, y)

    def watched(theta, which):
        seen.append(theta.item())
        return likelihood(theta, which)

    best = objective(prior.mean[0].numpy(), prior, x, y)
    for iterations in range(1, 8):
        posterior = update(prior, watched, iterations)
        now = objective(posterior.mean[0].numpy(), prior, x, y)
        assert now <= best
        best = now
    assert min(seen) < -500
    exact = minimize(objective, np.zeros(1), (prior, x, y), tol=1e-10)
    converged = update(prior, likelihood, iterations=20)
    assert converged.mean.item() == pytest.approx(exact.x[0], abs=1e-3)


def test_who_finds_no_better_place_stays():
    """The objective of the first is no number anywhere else; the second moves as ever."""
    x, y = samples(10, 2)
    of_row = torch.arange(10) % 2
    prior = prior_of(2, 2)
    likelihood = logistic(x, y, of_row, 2)

    def broken(theta, which):
        found = likelihood(theta, which)
        lost = (which == 0) & (theta != prior.mean[which]).any(1)
        return found._replace(loss=found.loss.masked_fill(lost, torch.nan))

    posterior = update(prior, broken, iterations=3)
    expected = update(prior, likelihood, iterations=3)
    assert torch.equal(posterior.mean[0], prior.mean[0])
    torch.testing.assert_close(posterior.mean[1], expected.mean[1])
    assert torch.isfinite(posterior.precision).all()


def test_forgetting_adds_variance():
    gaussian = prior_of(2, 3)
    noise = torch.eye(3, dtype=DOUBLE) * torch.tensor([0.0, 2.0]).view(2, 1, 1)
    later = forget(gaussian, noise)
    assert torch.equal(later.mean, gaussian.mean)
    torch.testing.assert_close(later.covariance(), gaussian.covariance() + noise)


def test_draws_have_the_mean_and_the_covariance():
    gaussian = prior_of(1, 3)
    noise = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(5), dtype=DOUBLE)
    drawn = Gaussian(gaussian.mean, gaussian.precision).draw(noise)
    torch.testing.assert_close(drawn.mean(0), gaussian.mean[0], atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), gaussian.covariance()[0], atol=0.01, rtol=0)


def test_a_triangle_holds_everything():
    matrices = prior_of(5, 4).precision
    store = Triangle(4)
    packed = store.pack(matrices, torch.eye(4, dtype=DOUBLE))
    assert packed.shape == (5, store.width) == (5, 10)
    assert packed.dtype == torch.float32
    torch.testing.assert_close(store.unpack(packed), matrices, atol=1e-5, rtol=1e-6)


def test_a_diagonal_holds_every_variance():
    prior = prior_of(1, 4).precision[0]
    x, _ = samples(20, 4)
    information = torch.stack([x.T @ x, x[:2].T @ x[:2], torch.zeros(4, 4)])
    store = Diagonal(4)
    packed = store.pack(information, prior)
    assert packed.shape == (3, store.width) == (3, 4)
    kept = inverse(prior + store.unpack(packed)).diagonal(dim1=1, dim2=2)
    wanted = inverse(prior + information).diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(kept, wanted, rtol=0.01, atol=0)
    # the diagonal of the information itself would not
    claimed = inverse(prior + torch.diag_embed(information.diagonal(dim1=1, dim2=2)))
    assert (claimed.diagonal(dim1=1, dim2=2)[0] < 0.9 * wanted[0]).any()


def test_one_sample_of_a_linear_model_needs_no_second_look():
    """Where f is linear in θ, what was seen at the means tells all."""
    x, y = samples(4, 3)
    prior = prior_of(4, 3)
    one_each = torch.arange(4)
    looked = linear_evidence((x * prior.mean).sum(1), y, x, prior.mean)
    expected = update(prior, logistic(x, y, one_each, 4), 8)
    found = update(prior, looked, 8)
    torch.testing.assert_close(found.mean, expected.mean)
    torch.testing.assert_close(found.precision, expected.precision)
    some = torch.tensor([0, 2])
    away = prior.mean[some] + 0.5
    for a, b in zip(looked(away, some), logistic(x, y, one_each, 4)(away, some)):
        torch.testing.assert_close(a, b)
