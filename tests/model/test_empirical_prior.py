"""The prior of a new item, fitted on old ones."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from recbole_mwuf.model.warm_up.empirical_prior import fit_prior


def items(n=200, n_features=6, d=3, noise=0.5, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, n_features)) * 0.3 + 1
    weights = random.normal(size=(n_features, d))
    y = x @ weights + 2 + noise * random.normal(size=(n, d))
    return torch.from_numpy(x), torch.from_numpy(y)


def test_ridge_regression_with_a_free_constant():
    """scikit-learn's; penalty 1 is the mean over the features of n · their variance."""
    x, y = items()
    for penalty in (0.01, 1.0):
        alpha = penalty * len(x) * x.numpy().var(0).mean()
        # sklearn centres the features, so that its penalty leaves the constant out as well
        expected = Ridge(alpha=alpha).fit(x.numpy(), y.numpy())
        weights = fit_prior(x, y, 10, penalty).weights.numpy()
        np.testing.assert_allclose(weights[:-1], expected.coef_.T, atol=1e-8)
        np.testing.assert_allclose(weights[-1], expected.intercept_, atol=1e-8)


def test_the_covariance_is_that_of_items_left_out():
    """By hand, fold by fold; a feature of each item's own would explain it and nothing else."""
    x, y = items(40)
    found = fit_prior(x, y, 4, 0.1)
    residual = np.empty((40, 3))
    for fold in range(4):
        out = np.arange(40) % 4 == fold
        inside = x[~out].numpy()
        alpha = 0.1 * 40 * x.numpy().var(0).mean()
        model = Ridge(alpha=alpha).fit(inside, y[~out].numpy())
        residual[out] = y[out].numpy() - model.predict(x[out].numpy())
    covariance = residual.T @ residual / 40
    shrunk = (40 * covariance + 3 * np.diag(np.diag(covariance))) / 43
    np.testing.assert_allclose(found.covariance.numpy(), shrunk, atol=1e-8)

    own = fit_prior(torch.eye(40), y, 4, 1e-3)  # one-hot: each item its own feature
    explained = y - torch.cat([torch.eye(40), torch.ones(40, 1)], dim=1).double() @ own.weights
    assert explained.var(dim=0).max() < 0.1 * y.var(dim=0).min()
    assert (own.covariance.diagonal() > 0.9 * y.var(dim=0)).all()


def test_without_features_it_is_what_all_items_have_in_common():
    _, y = items()
    prior = fit_prior(torch.zeros(len(y), 0), y, 10)
    torch.testing.assert_close(prior.weights, y.mean(0, keepdim=True))
    torch.testing.assert_close(prior.covariance, y.T.cov(), rtol=0.05, atol=0.05)


@pytest.mark.parametrize(("noise", "strict"), [(0.01, False), (30.0, True)])
def test_the_penalty_is_chosen_by_items_left_out(noise, strict):
    """Features that explain much are trusted, features that explain nothing are not."""
    x, y = items(noise=noise)
    assert (fit_prior(x, y, 10, None).penalty >= 1) == strict


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_items_still_make_a_covariance(n):
    x, y = items(n, n_features=8, d=6)
    prior = fit_prior(x, y, 10, 1.0)
    assert torch.isfinite(prior.weights).all()
    assert torch.linalg.eigvalsh(prior.covariance).min() > 0


def test_items_that_are_all_the_same():
    prior = fit_prior(torch.ones(5, 2), torch.ones(5, 3), 10, 1.0)
    assert torch.linalg.eigvalsh(prior.covariance).min() > 0
    mean = torch.ones(1, 3, dtype=torch.float64) @ prior.weights
    torch.testing.assert_close(mean, torch.ones(1, 3, dtype=torch.float64))
