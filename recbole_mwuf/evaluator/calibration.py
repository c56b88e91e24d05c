"""A metric that RecBole lacks, in RecBole's form: how well probabilities fit what happens."""

from __future__ import annotations

from typing import Any

import numpy as np
from recbole.evaluator import register
from recbole.evaluator.base_metric import LossMetric

_BINS = 15  # as the source has them


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
        of_bin = np.minimum((preds * _BINS).astype(np.int64), _BINS - 1)
        off = np.bincount(of_bin, weights=preds.astype(np.float64) - trues)
        return float(np.abs(off).sum() / len(preds))


# RecBole has no door for a metric of someone else's: it knows those that its registry names
_smaller, _needs, _types, _classes = register.cluster_info(__name__)
register.smaller_metrics += [name for name in _smaller if name not in register.smaller_metrics]
register.metric_information.update(_needs)
register.metric_types.update(_types)
register.metrics_dict.update(_classes)
