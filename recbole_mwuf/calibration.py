"""Whether a predicted probability is one: the expected calibration error, as a metric of RecBole.

RecBole looks metrics up by name in its registry; importing this module adds ``ECE`` there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from recbole.evaluator import register
from recbole.evaluator.base_metric import LossMetric

N_BINS = 10


class Bins(NamedTuple):
    """Samples in bins of equal width by predicted probability; a bin without samples is left out.

    Attributes:
        predicted: Mean prediction of each bin.
        observed: Share of positive samples in it.
        samples: How many samples it has.
    """

    predicted: np.ndarray
    observed: np.ndarray
    samples: np.ndarray


def reliability(scores: np.ndarray, labels: np.ndarray, n_bins: int = N_BINS) -> Bins:
    """What a reliability diagram shows: how often what is predicted with p happens.

    Args:
        scores: Predicted probabilities, shape ``[n]``.
        labels: 0 or 1, shape ``[n]``.
        n_bins: A bin holds the probabilities from its lower bound up to, not including, the next.

    Examples:
        >>> bins = reliability(np.array([0.05, 0.05, 0.85]), np.array([0, 1, 1]))
        >>> bins.predicted.tolist(), bins.observed.tolist(), bins.samples.tolist()
        ([0.05, 0.85], [0.5, 1.0], [2, 1])
    """
    scores = np.asarray(scores, dtype=np.float64)
    of_row = np.minimum((scores * n_bins).astype(np.int64), n_bins - 1)
    samples = np.bincount(of_row, minlength=n_bins)
    filled = samples > 0
    predicted, observed = (
        np.bincount(of_row, weights=values, minlength=n_bins)[filled] / samples[filled]
        for values in (scores, labels)
    )
    return Bins(predicted, observed, samples[filled])


class ECE(LossMetric):
    """Expected calibration error: the mean distance of predicted and observed over the samples.

    With ten bins of equal width, sum over bins of n_b / n · abs(observed_b - predicted_b) (Guo et
    al., "On calibration of modern neural networks", 2017, Eq. 3, for two classes by the
    probability of the positive one).

    Args:
        config: Uses ``metric_decimal_place``.
    """

    smaller = True

    def __init__(self, config: Any):
        super().__init__(config)

    def calculate_metric(self, dataobject: Any) -> dict[str, float]:
        return self.output_metric("ece", dataobject)

    def metric_info(self, preds: np.ndarray, trues: np.ndarray) -> float:
        """The error of probabilities ``[n]`` with labels ``[n]``."""
        bins = reliability(preds, trues)
        return float(np.average(np.abs(bins.observed - bins.predicted), weights=bins.samples))


def _add_to_recbole() -> None:
    """What RecBole's ``cluster_info`` does for the metrics in its own module."""
    register.metrics_dict["ece"] = ECE
    register.metric_types["ece"] = ECE.metric_type
    register.metric_information["ece"] = ECE.metric_need
    if "ece" not in register.smaller_metrics:
        register.smaller_metrics.append("ece")


_add_to_recbole()
