"""RecBole's metrics for labelled samples, and the paper's relative improvement."""

from __future__ import annotations

from collections.abc import Sequence
from logging import getLogger
from typing import Any

import numpy as np
import torch
from recbole.evaluator import Evaluator
from recbole.evaluator.collector import DataStruct
from recbole.evaluator.register import metric_types
from recbole.utils import EvaluatorType
from scipy.stats import ttest_rel

from recbole_mwuf.evaluator import calibration  # noqa: F401  RecBole's registry gets a metric

NEEDS_BOTH_CLASSES = ("auc", "gauc")
_ROUNDING = 1e-12  # metrics have fewer decimals: what differs by less is the same


def labelled_metrics() -> list[str]:
    """Names of what scores labelled samples; RecBole's GAUC does, user by user."""
    return [*(name for name, kind in metric_types.items() if kind == EvaluatorType.VALUE), "gauc"]


def evaluate(config: Any, scores: torch.Tensor, labels: torch.Tensor, users: torch.Tensor) -> dict:
    """The metrics of ``config["metrics"]`` for labelled samples.

    Args:
        config: Names the metrics and their decimals.
        scores: Predicted probabilities, shape ``[n]``.
        labels: 0 or 1, shape ``[n]``.
        users: User of every sample, shape ``[n]``; for GAUC.

    Returns:
        dict: metric -> value; None where it is undefined (one class only), with a warning.
    """
    data = DataStruct()
    data.set("rec.score", scores)
    data.set("data.label", labels)
    evaluator = Evaluator(config)
    undefined = set()
    if len(labels.unique()) < 2:
        undefined = {m for m in evaluator.metrics if m in NEEDS_BOTH_CLASSES}
    if "gauc" in evaluator.metrics and "gauc" not in undefined:
        ranks = user_ranks(scores.numpy(), labels.numpy(), users.numpy())
        data.set("rec.meanrank", torch.from_numpy(ranks))
        undefined |= {"gauc"} if not len(ranks) else set()
    if undefined:
        getLogger().warning(
            f"{', '.join(sorted(undefined))} cannot be computed for {len(labels)} samples with "
            f"{int(labels.sum())} positive: left out"
        )
    evaluator.metrics = [m for m in evaluator.metrics if m not in undefined]
    result = {name: float(value) for name, value in evaluator.evaluate(data).items()}
    return {metric.lower(): result.get(metric.lower()) for metric in config["metrics"]}


def user_ranks(scores: np.ndarray, labels: np.ndarray, users: np.ndarray) -> np.ndarray:
    """What RecBole's GAUC reads: per user the positives' rank sum, samples and positives.

    Ranks are descending, ties share their mean rank. Users with one class only are left out.

    Returns:
        np.ndarray: float64, shape ``[n_users, 3]``.
    """
    if not len(users):
        return np.empty((0, 3))
    order = np.lexsort((-scores, users))
    positive, user = labels[order] > 0, np.unique(users[order], return_inverse=True)[1]
    count = np.bincount(user)
    begin = np.cumsum(count) - count
    place = np.arange(1, len(user) + 1) - begin[user]
    score = scores[order]
    first_of_tie = np.append(True, (user[1:] != user[:-1]) | (score[1:] != score[:-1]))
    tie = np.cumsum(first_of_tie) - 1
    rank = (np.bincount(tie, place) / np.bincount(tie))[tie]
    n_positive = np.bincount(user, positive)
    rank_sum = np.bincount(user, np.where(positive, rank, 0.0))
    both = (n_positive > 0) & (n_positive < count)
    return np.stack([rank_sum, count, n_positive], axis=1)[both]


def rela_impr(auc: float | None, base_auc: float | None) -> float | None:
    """Relative improvement over a base, Eq. 7, as a fraction; 0.5 is a random guesser.

    Examples:
        >>> round(rela_impr(0.6339, 0.5968), 3)  # MWUF over Wide & Deep at cold, Table 1: 38.3 %
        0.383
        >>> rela_impr(0.7, 0.5) is None
        True
    """
    if auc is None or base_auc is None or base_auc == 0.5:
        return None
    return (auc - 0.5) / (base_auc - 0.5) - 1


def paired_p_value(first: list[float], second: list[float]) -> float | None:
    """Two-sided p of a paired t-test over seeds; None with fewer than two different ones.

    Examples:
        >>> round(paired_p_value([0.71, 0.73, 0.74], [0.70, 0.71, 0.71]), 4)
        0.0742
    """
    if len(first) != len(second):
        raise ValueError(f"paired values: {len(first)} against {len(second)}")
    if len(first) < 2 or np.ptp(np.subtract(first, second)) < _ROUNDING:
        return None
    return float(ttest_rel(first, second).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's correction for several tests (Holm, 1979): adjusted p values in the same order.

    Args:
        p_values: Of the tests of a table; None where there was no test.

    Examples:
        >>> holm([0.01, 0.04, None, 0.03])
        [0.03, 0.06, None, 0.06]
    """
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - rank)))
        adjusted[i] = largest
    return adjusted
