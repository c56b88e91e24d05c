"""How far an AUC depends on which items happened to be new: a bootstrap over items.

Samples of one item are not independent: the item is what was drawn. So items are drawn with
replacement, each with all its samples (a cluster bootstrap; Field and Welsh, 2007).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def bootstrap_auc(
    scores: np.ndarray, labels: np.ndarray, items: np.ndarray, n_draws: int
) -> np.ndarray:
    """The AUC of every draw of items.

    The draws depend on the items alone, so that those of two methods are paired.

    Args:
        scores: Predictions, shape ``[n]``.
        labels: 0 or 1, shape ``[n]``.
        items: Item of every sample, shape ``[n]``.
        n_draws: How often the items are drawn.

    Returns:
        np.ndarray: float64, shape ``[n_draws]``; NaN for a draw with one class only.

    Examples:
        Item 7 is ranked perfectly, item 8 the wrong way round.

        >>> scores, labels = np.array([0.9, 0.1, 0.2, 0.8]), np.array([1, 0, 1, 0])
        >>> draws = bootstrap_auc(scores, labels, np.array([7, 7, 8, 8]), 100)
        >>> sorted({float(draw) for draw in draws})  # both items once, one of them twice
        [0.0, 0.75, 1.0]
    """
    known, item = np.unique(items, return_inverse=True)
    order = np.argsort(scores, kind="stable")
    item, positive = item[order], labels[order] > 0
    # equal scores form a group, in which each pair counts half
    ranked = scores[order]
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    random = np.random.default_rng(0)
    found = np.empty(n_draws)
    for draw in range(n_draws):
        counts = np.bincount(random.integers(len(known), size=len(known)), minlength=len(known))
        weight = counts[item].astype(np.float64)
        up = np.add.reduceat(np.where(positive, weight, 0.0), starts)
        down = np.add.reduceat(np.where(positive, 0.0, weight), starts)
        below = np.cumsum(down) - down
        total = up.sum() * down.sum()
        found[draw] = (up * (below + down / 2)).sum() / total if total else np.nan
    return found


def interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The middle share of the draws.

    Examples:
        >>> interval(np.arange(101.0), 0.5)
        (25.0, 75.0)
    """
    tail = 50 * (1 - level)
    low, high = np.nanpercentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def plain_draws(draws: Mapping[str, Mapping[str, np.ndarray]]) -> dict:
    """Draws by phase and protocol as JSON values: five decimals, None for a draw without AUC."""
    return {
        phase: {
            protocol: [None if np.isnan(v) else round(float(v), 5) for v in values]
            for protocol, values in of_phase.items()
        }
        for phase, of_phase in draws.items()
    }
