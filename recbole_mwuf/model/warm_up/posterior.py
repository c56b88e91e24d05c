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

_HALVINGS = 10  # a step is tried so often; then the model stays where it is
_MATCHING = 20  # steps of the fixed point that a diagonal is found by
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
        return inverse(self.precision)

    def draw(self, noise: Tensor) -> Tensor:
        """A sample of each, from standard normal noise ``[n, d]``: mean + L⁻ᵀ z, P⁻¹ = L Lᵀ."""
        factor = torch.linalg.cholesky(self.precision).mT
        away = torch.linalg.solve_triangular(factor, noise.unsqueeze(-1), upper=True)
        return self.mean + away.squeeze(-1)


def inverse(matrices: Tensor) -> Tensor:
    """Of symmetric positive definite matrices, ``[..., d, d]``."""
    return torch.cholesky_inverse(torch.linalg.cholesky(matrices))


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
    logits: Tensor, labels: Tensor, jacobian: Tensor, model_of_row: Tensor, n_models: int
) -> Evidence:
    """Σ log-loss, Σ (p - y) J and Σ p (1 - p) J Jᵀ over the samples of each model, float64.

    Args:
        logits: f, ``[B]``.
        labels: y, ``[B]``.
        jacobian: J, ``[B, d]``.
        model_of_row: Which of the models a sample is of, ``[B]``.
        n_models: How many models there are.
    """

    def by_model(values: Tensor) -> Tensor:
        start = values.new_zeros(n_models, *values.shape[1:])
        return start.index_add_(0, model_of_row, values).double()

    p = torch.sigmoid(logits).unsqueeze(1)
    losses = binary_cross_entropy_with_logits(logits.double(), labels.double(), reduction="none")
    return Evidence(
        by_model(losses),
        by_model((p - labels.unsqueeze(1)) * jacobian),
        by_model((p * (1 - p) * jacobian).unsqueeze(2) * jacobian.unsqueeze(1)),
    )


# what the samples of some models, int64 [m], say at parameters [m, d] of theirs
Likelihood = Callable[[Tensor, Tensor], Evidence]


def update(prior: Gaussian, evidence: Likelihood, iterations: int) -> Gaussian:
    """Laplace's approximation of each posterior: the mode, and the curvature there.

    From θ = m, repeated: H = P⁻¹ + I(θ), g = -∇loss(θ) - P⁻¹(θ - m), θ ← θ + H⁻¹ g, where I is the
    information. A model's step is halved while its own objective, loss + ½ (θ - m)ᵀ P⁻¹ (θ - m),
    would rise.

    Args:
        prior: N(m, P).
        evidence: What the samples say at some parameters.
        iterations: Newton steps.

    Returns:
        Gaussian: the posterior N(θ, H⁻¹).
    """
    theta = prior.mean
    here = evidence(theta, torch.arange(len(theta), device=theta.device))
    for _ in range(iterations):
        pull = (prior.precision @ (theta - prior.mean).unsqueeze(-1)).squeeze(-1)
        hessian = torch.linalg.cholesky(prior.precision + here.information)
        step = -torch.cholesky_solve((here.gradient + pull).unsqueeze(-1), hessian).squeeze(-1)
        theta, here = _damped_step(prior, evidence, theta, here, step)
    return Gaussian(theta, prior.precision + here.information)


def _damped_step(
    prior: Gaussian, evidence: Likelihood, theta: Tensor, here: Evidence, step: Tensor
) -> tuple[Tensor, Evidence]:
    """θ + step, the step halved where the objective would rise: there, and what holds there."""
    limit = _objective(prior, theta, here)
    limit = limit + _ROUNDING * (1 + limit.abs())
    moving = torch.arange(len(theta), device=theta.device)
    tried = theta + step
    found = evidence(tried, moving)
    falls = _objective(prior, tried, found) <= limit  # what is no number does not
    if falls.all():  # nearly always
        return tried, found
    moved, there = theta.clone(), Evidence(*(values.clone() for values in here))
    for halving in range(1, _HALVINGS + 1):
        for kept, values in zip((moved, *there), (tried, *found)):
            kept[moving[falls]] = values[falls]
        moving = moving[~falls]
        if not len(moving) or halving == _HALVINGS:
            break
        tried = theta[moving] + step[moving] / 2**halving
        found = evidence(tried, moving)
        objective = _objective(Gaussian(*(part[moving] for part in prior)), tried, found)
        falls = objective <= limit[moving]
    return moved, there


def _objective(prior: Gaussian, theta: Tensor, there: Evidence) -> Tensor:
    away = (theta - prior.mean).unsqueeze(-1)
    return there.loss + (away.mT @ prior.precision @ away).view(-1) / 2


def forget(gaussian: Gaussian, variance: Tensor) -> Gaussian:
    """Process noise: P ← P + Q for covariances Q, ``[n, d, d]``; the mean stays."""
    return gaussian._replace(precision=inverse(gaussian.covariance() + variance))


class InformationStore(ABC):
    """How that which samples have added to a common prior's precision is kept: rows of float32.

    Args:
        size: Dimension d.

    Attributes:
        width: Numbers kept for a model.
    """

    width: int

    def __init__(self, size: int):
        self.size = size

    @abstractmethod
    def pack(self, information: Tensor, prior: Tensor) -> Tensor:
        """Symmetric matrices and the prior's precision, ``[n, d, d], [d, d] -> [n, width]``."""

    @abstractmethod
    def unpack(self, rows: Tensor) -> Tensor:
        """``[n, width] -> [n, d, d]``, float64."""


class Triangle(InformationStore):
    """The lower triangle: all that there is, d (d + 1) / 2 numbers.

    Examples:
        >>> Triangle(2).pack(torch.tensor([[[1.0, 2.0], [2.0, 3.0]]]), torch.eye(2))
        tensor([[1., 2., 3.]])
    """

    def __init__(self, size: int):
        super().__init__(size)
        self.width = size * (size + 1) // 2
        row, column = torch.tril_indices(size, size)
        self._kept = row * size + column  # places in a matrix of one row
        place = torch.empty(size, size, dtype=torch.long)
        place[row, column] = place[column, row] = torch.arange(self.width)
        self._place = place.view(-1)  # in the triangle, of each number of the matrix

    def pack(self, information: Tensor, prior: Tensor) -> Tensor:
        kept = self._kept.to(information.device)
        return information.flatten(1).index_select(1, kept).float()

    def unpack(self, rows: Tensor) -> Tensor:
        place = self._place.to(rows.device)
        full = rows.double().index_select(1, place)
        return full.view(len(rows), self.size, self.size)


class Diagonal(InformationStore):
    """The diagonal matrix that gives every parameter its variance, as nearly as one can: d numbers.

    The prior keeps its correlations. The diagonal of the matrix itself would claim to know more.

    Examples:
        >>> prior, information = torch.eye(2), torch.ones(1, 2, 2)
        >>> 1 / torch.linalg.inv(prior + information)[0, 0, 0]
        tensor(1.5000)
        >>> diagonal = prior.diagonal() + Diagonal(2).pack(information, prior)
        >>> bool((diagonal - 1.5).abs().max() < 1e-3)
        True
    """

    def __init__(self, size: int):
        super().__init__(size)
        self.width = size

    def pack(self, information: Tensor, prior: Tensor) -> Tensor:
        wanted = _variances(prior + information)
        diagonal = information.diagonal(dim1=1, dim2=2).clamp(min=0)
        for _ in range(_MATCHING):
            diagonal = diagonal * _variances(prior + torch.diag_embed(diagonal)) / wanted
        return diagonal.float()

    def unpack(self, rows: Tensor) -> Tensor:
        return torch.diag_embed(rows.double())


def _variances(precision: Tensor) -> Tensor:
    return inverse(precision).diagonal(dim1=1, dim2=2)


def probit_scale(variance: Tensor) -> Tensor:
    """What divides a logit of that variance for E[σ(f)] ≈ σ(f / scale): sqrt(1 + π/8 · variance).

    Examples:
        >>> probit_scale(torch.tensor([0.0, 8 / math.pi]))
        tensor([1.0000, 1.4142])
    """
    return torch.sqrt(1 + math.pi / 8 * variance)
