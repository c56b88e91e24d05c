"""A bootstrap over items."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recbole_mwuf.evaluator.bootstrap import bootstrap_auc, interval


def example(n=300, n_items=12):
    rng = np.random.default_rng(3)
    items = rng.integers(n_items, size=n)
    labels = rng.integers(2, size=n)
    scores = np.round(rng.normal(size=n) + labels * 0.5 + np.sin(items), 1)  # many ties
    return scores, labels, items


def test_every_draw_is_the_auc_of_the_items_drawn():
    scores, labels, items = example()
    draws = bootstrap_auc(scores, labels, items, 20)
    random = np.random.default_rng(0)
    for draw in draws:
        chosen = random.integers(12, size=12)
        rows = np.concatenate([np.flatnonzero(items == item) for item in chosen])
        assert draw == pytest.approx(roc_auc_score(labels[rows], scores[rows]))


def test_draws_of_two_methods_are_paired():
    scores, labels, items = example()
    one = bootstrap_auc(scores, labels, items, 50)
    shifted = bootstrap_auc(scores * 2 + 1, labels, items, 50)  # the same order
    assert np.allclose(one, shifted)
    shuffled = np.random.default_rng(1).permutation(len(scores))
    assert np.allclose(one, bootstrap_auc(scores[shuffled], labels[shuffled], items[shuffled], 50))


def test_items_vary_more_than_samples_do():
    """Three items that are each ranked in their own way: an interval over samples is too narrow."""
    rng = np.random.default_rng(5)
    items = np.repeat([0, 1, 2], 200)
    labels = rng.integers(2, size=600)
    direction = np.array([1.5, 0.0, -1.5])[items]
    scores = rng.normal(size=600) + direction * labels + 5 * items
    low, high = interval(bootstrap_auc(scores, labels, items, 200))
    alone = bootstrap_auc(scores, labels, np.arange(600), 200)  # as if each were an item
    assert high - low > 3 * np.ptp(np.percentile(alone, [2.5, 97.5]))


def test_one_class_only_is_no_number():
    assert np.isnan(bootstrap_auc(np.ones(3), np.ones(3), np.arange(3), 2)).all()
