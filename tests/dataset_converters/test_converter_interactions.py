"""Work over all interactions, against slow and simple versions of the same."""

from __future__ import annotations

import doctest

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_converters import errors, interactions, movielens, report
from dataset_converters.interactions import items_by_group, one_per_pair, repeated_rows

small = st.integers(0, 3)
rows = st.lists(st.tuples(small, small, small, st.integers(0, 1)), min_size=1, max_size=40)


def frame(values: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    names = ("user_id", "item_id", "timestamp", "label")
    return pl.DataFrame(values, schema=dict.fromkeys(names, pl.UInt32), orient="row")


@settings(deadline=None)
@given(rows)
def test_repeated_rows_are_those_seen_before(values):
    assert repeated_rows(frame(values)).to_list() == [
        value in values[:row] for row, value in enumerate(values)
    ]


def test_rows_with_equal_hashes_are_compared(monkeypatch):
    monkeypatch.setattr(
        pl.DataFrame,
        "hash_rows",
        lambda self: pl.repeat(7, self.height, dtype=pl.UInt64, eager=True),
    )
    assert repeated_rows(frame([(1, 1, 1, 0), (1, 1, 2, 0), (1, 1, 1, 0)])).to_list() == [
        False, False, True
    ]  # fmt: skip


@pytest.mark.parametrize("rows_per_part", [3, 8_000_000])
@settings(deadline=None)
@given(values=rows)
def test_one_per_pair_is_the_first_positive_else_the_last(rows_per_part, values):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interactions, "ROWS_PER_PART", rows_per_part)
        chosen = one_per_pair(frame(values), pl.col("label") == 1).to_list()
    expected = set()
    for pair in {value[:2] for value in values}:
        mine = [(v[2], row, v[3]) for row, v in enumerate(values) if v[:2] == pair]
        bought = [entry for entry in mine if entry[2]]
        expected.add(min(bought)[1] if bought else max(mine)[1])
    assert {row for row, is_chosen in enumerate(chosen) if is_chosen} == expected


def test_borders_between_the_groups():
    counts = pl.Series([1, 60, 61, 200, 201])  # N = 200, K = 20: new is 61 to 200
    assert items_by_group(counts, 200, 20) == {"old": 1, "new": 2, "too_few": 2}


@pytest.mark.parametrize("module", [errors, interactions, movielens, report])
def test_examples_in_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
