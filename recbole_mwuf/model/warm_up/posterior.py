"""Posteriors of many small models at once, in closed form: Gaussian algebra in batches.

Everything here has a leading dimension n, one model (an item) a row, and d parameters each.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

_HALVINGS = 10  # of a step; then the model stays where it is
_ROUNDING = 1e-6  # relative; a rise of the objective below it is none


class Gaussian(NamedTuple):
    """What is believed of each model's parameters.

    Attributes:
        mean: shape ``[n, d]``.
        precision: Inverse covariance, shape ``[n, d, d]``.
    """

    mean: Tensor
    precision: Tensor

    def covariance(self) -> Tensor:
        """P, shape ``[n, d, d]``."""
        return torch.cholesky_inverse(torch.linalg.cholesky(self.precision))

    def draw(self, noise: Tensor) -> Tensor:
        """A sample of each, from standard normal noise ``[n, d]``: mean + L⁻ᵀ z, P⁻¹ = L Lᵀ."""
        factor = torch.linalg.cholesky(self.precision).mT
        away = torch.linalg.solve_triangular(factor, noise.unsqueeze(-1), upper=True)
        return self.mean + away.squeeze(-1)


class Evidence(NamedTuple):
    """What each model's samples say at some parameters.

    Attributes:
        loss: Negative log-likelihood, shape ``[n]``.
        gradient: Of the loss, shape ``[n, d]``.
        information: Gauss-Newton Hessian of the loss, positive semi-definite, ``[n, d, d]``.
    """

    loss: Tensor
    gradient: Tensor
    information: Tensor


def log_loss_evidence(
    logits: Tensor, labels: Tensor, jacobian: Tensor, item_of_row: Tensor, n_items: int
) -> Evidence:
    """Σ log-loss, Σ (p - y) J and Σ p (1 - p) J Jᵀ over the samples of each item, float64.

    Args:
        logits: f, ``[B]``.
        labels: y, ``[B]``.
        jacobian: J, ``[B, d]``.
        item_of_row: Which of the items a sample is of, ``[B]``.
        n_items: How many items there are.
    """

    def by_item(values: Tensor) -> Tensor:
        start = values.new_zeros(n_items, *values.shape[1:])
        return start.index_add_(0, item_of_row, values)

    f, y, j = logits.double(), labels.double(), jacobian.double()
    p = torch.sigmoid(f).unsqueeze(1)
    weighted = p * (1 - p) * j
    return Evidence(
        by_item(binary_cross_entropy_with_logits(f, y, reduction="none")),
        by_item((p - y.unsqueeze(1)) * j),
        by_item(weighted.unsqueeze(2) * j.unsqueeze(1)),
    )


def update(prior: Gaussian, evidence: Callable[[Tensor], Evidence], iterations: int) -> Gaussian:
    """Laplace's approximation of each posterior: the mode, and the curvature there.

    From θ = m, repeated: H = P⁻¹ + I(θ), g = -∇loss(θ) - P⁻¹(θ - m), θ ← θ + H⁻¹ g, where I is the
    information. A model's step is halved while its own objective, loss + ½ (θ - m)ᵀ P⁻¹ (θ - m),
    would rise.

    Args:
        prior: N(m, P).
        evidence: What the samples say at θ, ``[n, d]``.
        iterations: Newton steps.

    Returns:
        Gaussian: the posterior N(θ, H⁻¹).
    """
    theta = prior.mean
    here = evidence(theta)
    for _ in range(iterations):
        pull = (prior.precision @ (theta - prior.mean).unsqueeze(-1)).squeeze(-1)
        hessian = torch.linalg.cholesky(prior.precision + here.information)
        step = -torch.cholesky_solve((here.gradient + pull).unsqueeze(-1), hessian).squeeze(-1)
        theta, here = _damped_step(prior, evidence, theta, here, step)
    return Gaussian(theta, prior.precision + here.information)


def _damped_step(
    prior: Gaussian,
    evidence: Callable[[Tensor], Evidence],
    theta: Tensor,
    here: Evidence,
    step: Tensor,
) -> tuple[Tensor, Evidence]:
    before = _objective(prior, theta, here.loss)
    before = before + _ROUNDING * (1 + before.abs())
    for _ in range(_HALVINGS):
        moved = theta + step
        there = evidence(moved)
        # what is no number counts as a rise
        rises = ~(_objective(prior, moved, there.loss) <= before)
        if not rises.any():
            return moved, there
        step = torch.where(rises.unsqueeze(-1), step / 2, step)
    kept = (torch.where(_like(rises, old), old, new) for old, new in zip(here, there))
    return torch.where(rises.unsqueeze(-1), theta, moved), Evidence(*kept)


def _objective(prior: Gaussian, theta: Tensor, loss: Tensor) -> Tensor:
    away = theta - prior.mean
    return loss + torch.einsum("ni,nij,nj->n", away, prior.precision, away) / 2


def _like(condition: Tensor, values: Tensor) -> Tensor:
    return condition.view(-1, *[1] * (values.dim() - 1))


def forget(gaussian: Gaussian, variance: Tensor) -> Gaussian:
    """Process noise: P ← P + Q for covariances Q, ``[n, d, d]``; the mean stays."""
    covariance = gaussian.covariance() + variance
    return gaussian._replace(precision=Gaussian(gaussian.mean, covariance).covariance())


class PrecisionStore(ABC):
    """How positive definite matrices ``[n, d, d]`` are kept, as rows of numbers.

    Args:
        size: Dimension d.

    Attributes:
        width: Numbers kept for a matrix.
    """

    width: int

    @abstractmethod
    def pack(self, precision: Tensor) -> Tensor:
        """``[n, d, d] -> [n, width]``."""

    @abstractmethod
    def unpack(self, rows: Tensor) -> Tensor:
        """``[n, width] -> [n, d, d]``."""


class Triangle(PrecisionStore):
    """The lower triangle: d (d + 1) / 2 numbers.

    Examples:
        >>> store = Triangle(2)
        >>> store.pack(torch.tensor([[[1.0, 2.0], [2.0, 3.0]]]))
        tensor([[1., 2., 3.]])
    """

    def __init__(self, size: int):
        self.size, self.width = size, size * (size + 1) // 2
        self._where = torch.tril_indices(size, size)

    def pack(self, precision: Tensor) -> Tensor:
        row, column = self._where.to(precision.device)
        return precision[:, row, column]

    def unpack(self, rows: Tensor) -> Tensor:
        row, column = self._where.to(rows.device)
        full = rows.new_zeros(len(rows), self.size, self.size)
        full[:, row, column] = full[:, column, row] = rows
        return full


class Diagonal(PrecisionStore):
    """One over the variance of each parameter, the correlations forgotten: d numbers.

    Examples:
        >>> store = Diagonal(2)
        >>> store.pack(torch.tensor([[[4.0, 1.0], [1.0, 4.0]]]))
        tensor([[3.7500, 3.7500]])
    """

    def __init__(self, size: int):
        self.width = size

    def pack(self, precision: Tensor) -> Tensor:
        variance = Gaussian(precision, precision).covariance().diagonal(dim1=1, dim2=2)
        return variance.reciprocal()

    def unpack(self, rows: Tensor) -> Tensor:
        return torch.diag_embed(rows)


def probit_scale(variance: Tensor) -> Tensor:
    """What divides a logit of that variance for E[σ(f)] ≈ σ(f / scale): sqrt(1 + π/8 · variance).

    Examples:
        >>> probit_scale(torch.tensor([0.0, 8 / math.pi]))
        tensor([1.0000, 1.4142])
    """
    return torch.sqrt(1 + math.pi / 8 * variance)
