"""Empirical Bayes: what old items' trained parameters tell of a new item's."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recbole_mwuf.model.warm_up.posterior import inverse

_PENALTIES = tuple(10.0**power for power in range(-4, 3))  # tried if none is given
_SMALLEST = 1e-8  # variance of a parameter that is the same for all items


class EmpiricalPrior(NamedTuple):
    """A normal prior whose mean is linear in an item's features: N(x W, Σ).

    Attributes:
        weights: W, for the features and a constant 1 behind them, ``[n_features + 1, d]``.
        covariance: Σ, ``[d, d]``.
        penalty: Of the ridge regression.
    """

    weights: Tensor
    covariance: Tensor
    penalty: float


def fit_prior(
    features: Tensor, parameters: Tensor, n_folds: int, penalty: float | None = None
) -> EmpiricalPrior:
    """Ridge regression of items' parameters on their features; Σ from items left out.

    The items are cut into folds. Σ is the covariance of what is left of each item's parameters when
    the regression of the *other* folds has had its say: a new item is left out of the regression
    as well. Without features the mean is that of all items.

    Args:
        features: Of n items, ``[n, n_features]``; ``n_features`` may be 0.
        parameters: ``[n, d]``.
        n_folds: At least 2; at most n are made.
        penalty: On squared weights, as a multiple of what the features' mean variance puts into
            the normal equations; None: the one of several whose Σ has the least determinant, which
            makes the items left out most likely.
    """
    ones = features.new_ones(len(features), 1)
    x, y = torch.cat([features, ones], dim=1).double(), parameters.double()
    fold = torch.arange(len(x), device=x.device) % min(n_folds, len(x))
    folds = [(x[fold == number], y[fold == number]) for number in fold.unique()]
    sums = [(own_x.T @ own_x, own_x.T @ own_y) for own_x, own_y in folds]
    gram, moment = (sum(parts, torch.zeros_like(parts[0])) for parts in zip(*sums))
    scale = _scale(x[:, :-1])

    def covariance(penalty: float) -> Tensor:
        residuals = [
            own_y - own_x @ _ridge(gram - own_gram, moment - own_moment, penalty * scale)
            for (own_x, own_y), (own_gram, own_moment) in zip(folds, sums)
        ]
        return _shrunk(torch.cat(residuals))

    has_choice = penalty is None and features.shape[1] > 0
    tried = _PENALTIES if has_choice else (penalty or 0.0,)
    covariances = [covariance(each) for each in tried]
    best = int(torch.stack([torch.logdet(c) for c in covariances]).argmin())
    return EmpiricalPrior(_ridge(gram, moment, tried[best] * scale), covariances[best], tried[best])


def _scale(features: Tensor) -> float:
    """Sum of squares of a feature around its mean, averaged over the features."""
    if features.shape[1] == 0:
        return 0.0
    return float(features.var(dim=0, correction=0).mean()) * len(features)


def _ridge(gram: Tensor, moment: Tensor, penalty: float) -> Tensor:
    """W of normal equations; the constant's weights, which stand last, are not penalised."""
    penalised = gram.clone()
    penalised.diagonal()[:-1].add_(max(penalty, _SMALLEST))
    return torch.linalg.solve(penalised, moment)


def _shrunk(residual: Tensor) -> Tensor:
    """The covariance of residuals ``[n, d]``, which are zero in the mean.

    Few items do not tell correlations: d further items that have none are added.
    """
    n, d = residual.shape
    covariance = residual.T @ residual / n
    variances = covariance.diagonal().clamp(min=_SMALLEST).diag()
    return (n * covariance + d * variances) / (n + d)


class ItemPrior(nn.Module):
    """What is believed of a new item before its first sample: N(x W, P).

    Args:
        n_features: Of an item; 0 gives all items the same prior.
        n_parameters: d.
        n_signs: Components of an embedding, whose signs are common to all items.

    Attributes:
        weights: W, ``[n_features + 1, d]``.
        precision: P⁻¹, float64, ``[d, d]``.
        signs: 1 or -1, ``[1, n_signs]``.
    """

    weights: Tensor
    precision: Tensor
    signs: Tensor

    def __init__(self, n_features: int, n_parameters: int, n_signs: int):
        super().__init__()
        self.register_buffer("weights", torch.zeros(n_features + 1, n_parameters))
        self.register_buffer("precision", torch.eye(n_parameters, dtype=torch.float64))
        self.register_buffer("signs", torch.ones(1, n_signs))

    def set(self, weights: Tensor, covariance: Tensor, signs: Tensor) -> None:
        """Take W, P and numbers that have the signs."""
        self.weights.copy_(weights)
        self.precision.copy_(inverse(covariance))
        self.signs.copy_(torch.where(signs < 0, -1.0, 1.0))

    def mean(self, features: Tensor) -> Tensor:
        """x W, ``[B, n_features] -> [B, d]``."""
        return features @ self.weights[:-1] + self.weights[-1]
