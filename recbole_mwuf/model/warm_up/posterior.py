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

    one_each = n_models == len(logits) and torch.equal(model_of_row, _numbers(logits))

    def by_model(values: Tensor) -> Tensor:
        if one_each:
            return values.double()
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


def linear_evidence(logits: Tensor, labels: Tensor, jacobian: Tensor, mean: Tensor) -> Likelihood:
    """What one sample of each model says, f taken to be linear in θ.

    Args:
        logits: f at the means, ``[n]``.
        labels: y, ``[n]``.
        jacobian: J there, ``[n, d]``.
        mean: m, ``[n, d]``.
    """

    def evidence(theta: Tensor, which: Tensor) -> Evidence:
        moved = ((theta - mean[which]) * jacobian[which]).sum(dim=1)
        f, one_each = logits[which] + moved, _numbers(which)
        return log_loss_evidence(f, labels[which], jacobian[which], one_each, len(which))

    return evidence


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
    start = evidence(prior.mean, _numbers(prior.mean))
    here = _Point(prior.mean, torch.zeros_like(prior.mean), *start)
    for _ in range(iterations):
        factor = torch.linalg.cholesky(prior.precision + here.information)
        uphill = (here.gradient + here.pull).unsqueeze(-1)
        step = -torch.cholesky_solve(uphill, factor).squeeze(-1)
        here = _damped_step(prior, evidence, here, step)
    return Gaussian(here.theta, prior.precision + here.information)


class _Point(NamedTuple):
    """Some parameters of each model, and what holds there.

    Attributes:
        theta: θ, ``[n, d]``.
        pull: P⁻¹ (θ - m), ``[n, d]``.
        objective: loss + ½ (θ - m)ᵀ P⁻¹ (θ - m), ``[n]``.
        gradient: Of the loss, ``[n, d]``.
        information: ``[n, d, d]``.
    """

    theta: Tensor
    pull: Tensor
    objective: Tensor
    gradient: Tensor
    information: Tensor


def _look(prior: Gaussian, evidence: Likelihood, theta: Tensor, models: Tensor) -> _Point:
    """What holds at parameters of some models, int64 ``[m]``; the prior is theirs."""
    away = theta - prior.mean
    pull = (prior.precision @ away.unsqueeze(-1)).squeeze(-1)
    loss, gradient, information = evidence(theta, models)
    return _Point(theta, pull, loss + (away * pull).sum(dim=1) / 2, gradient, information)


def _damped_step(prior: Gaussian, evidence: Likelihood, here: _Point, step: Tensor) -> _Point:
    """θ + step, the step halved where the objective would rise."""
    limit = here.objective + _ROUNDING * (1 + here.objective.abs())
    moving = _numbers(limit)
    tried = _look(prior, evidence, here.theta + step, moving)
    falls = tried.objective <= limit  # what is no number does not
    if falls.all():  # nearly always
        return tried
    moved = _Point(*(values.clone() for values in here))
    for halving in range(1, _HALVINGS):
        _keep(moved, moving, tried, falls)
        moving = moving[~falls]
        if not len(moving):
            return moved
        theta = here.theta[moving] + step[moving] / 2**halving
        tried = _look(Gaussian(*(part[moving] for part in prior)), evidence, theta, moving)
        falls = tried.objective <= limit[moving]
    _keep(moved, moving, tried, falls)
    return moved


def _keep(moved: _Point, moving: Tensor, tried: _Point, falls: Tensor) -> None:
    """Take over what has been tried of the models that are moving, where the objective falls."""
    for kept, values in zip(moved, tried):
        kept[moving[falls]] = values[falls]


def _numbers(rows: Tensor) -> Tensor:
    """0, 1, ... for each row."""
    return torch.arange(len(rows), device=rows.device)


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
