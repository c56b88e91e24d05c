"""Whether a predicted probability is one: reliability, and a metric of it that RecBole lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
from recbole.evaluator import register
from recbole.evaluator.base_metric import LossMetric

_BINS = 15  # as the source has them


def reliability(
    scores: np.ndarray, labels: np.ndarray, n_bins: int = _BINS
) -> dict[str, np.ndarray]:
    """What a reliability diagram shows: how often what is predicted with p happens.

    Args:
        scores: Predicted probabilities, shape ``[n]``.
        labels: 0 or 1, shape ``[n]``.
        n_bins: Of equal width; each has its lower bound and not its upper one, the last has both.

    Returns:
        dict: for every bin that has samples, in order: ``predicted``, their mean score,
        ``observed``, the share of positive ones, and ``samples``, how many they are.

    Examples:
        >>> bins = reliability(np.array([0.05, 0.05, 0.85]), np.array([0, 1, 1]))
        >>> {name: values.tolist() for name, values in bins.items()}
        {'predicted': [0.05, 0.85], 'observed': [0.5, 1.0], 'samples': [2, 1]}
    """
    of_bin = _bin_of(scores, n_bins)
    samples = np.bincount(of_bin)
    filled = samples > 0
    predicted, observed = (
        np.bincount(of_bin, weights=values)[filled] / samples[filled] for values in (scores, labels)
    )
    return {"predicted": predicted, "observed": observed, "samples": samples[filled]}


def _bin_of(scores: np.ndarray, n_bins: int) -> np.ndarray:
    return np.minimum((scores * n_bins).astype(np.int64), n_bins - 1)


class ECE(LossMetric):
    """Expected calibration error (Guo et al., ICML 2017, eq. 3).

    The mean, over samples, of the distance between the mean score and the share of positives in
    the sample's bin; 15 bins of equal width.
    """

    smaller = True

    def calculate_metric(self, dataobject: Any) -> dict:
        return self.output_metric("ece", dataobject)

    def metric_info(self, preds: np.ndarray, trues: np.ndarray) -> float:
        """The error.

        Args:
            preds: Predicted probabilities, shape ``[n]``.
            trues: 0 or 1, shape ``[n]``.
        """
        of_bin = _bin_of(preds, _BINS)
        off = np.bincount(of_bin, weights=preds.astype(np.float64) - trues)
        return float(np.abs(off).sum() / len(preds))


# RecBole has no door for a metric of someone else's: it knows those that its registry names
_smaller, _needs, _types, _classes = register.cluster_info(__name__)
register.smaller_metrics += [name for name in _smaller if name not in register.smaller_metrics]
register.metric_information.update(_needs)
register.metric_types.update(_types)
register.metrics_dict.update(_classes)
