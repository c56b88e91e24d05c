"""A Tally counts as counting by hand does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recbole_mwuf.data.tally import Tally

N_FOLDS = 4
samples = st.lists(
    st.tuples(st.integers(-1, 6), st.integers(0, N_FOLDS - 1), st.integers(0, 1)), max_size=40
)


def columns(rows):
    return (np.array(column, dtype=np.int64) for column in zip(*rows)) if rows else None


def by_hand(rows, entity, fold):
    labels = [label for e, f, label in rows if e == entity and f != fold and e >= 0]
    return sum(labels), len(labels)


def check(tally, rows):
    asked = [(entity, fold) for entity in range(-1, 8) for fold in range(N_FOLDS)]
    entities, folds = columns(asked)
    found = zip(*(part.tolist() for part in tally.without(entities, folds)))
    assert list(found) == [by_hand(rows, *pair) for pair in asked]


@given(st.lists(samples, max_size=6))
def test_added_in_parts_of_any_size(parts):
    tally = Tally(N_FOLDS)
    for part in parts:
        if part:
            tally.add(*columns(part))
    rows = [row for part in parts for row in part]
    check(tally, rows)
    check(Tally.from_tensor(tally.tensor(), N_FOLDS), rows)


@given(samples.filter(len), samples.filter(len))
def test_a_copy_counts_for_itself(first, second):
    tally = Tally(N_FOLDS)
    tally.add(*columns(first))
    other = tally.copy()
    other.add(*columns(second))
    check(tally, first)
    check(other, first + second)


@given(samples.filter(len))
def test_shapes_broadcast(rows):
    entities, folds, labels = columns(rows)
    tally = Tally(N_FOLDS)
    several = np.stack([entities, entities + 10], axis=1)
    tally.add(several, folds[:, None], labels[:, None])
    positive, count = tally.without(several, folds[:, None])
    assert positive.shape == count.shape == several.shape
    known = entities >= 0  # -1 + 10 is an entity of its own
    assert np.array_equal(positive[known, 0], positive[known, 1])
    assert np.array_equal(count[known, 0], count[known, 1])


def test_few_parts_however_many_additions():
    tally = Tally(N_FOLDS)
    for i in range(1000):
        tally.add(np.array([i]), np.array([0]), np.array([1]))
    assert len(tally._parts) <= 10
