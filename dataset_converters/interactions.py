"""What is worked out over all interactions: repeated rows, one row per pair, items by group."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

#: Users are gone through in parts of about so many rows, so that a sort stays small.
ROWS_PER_PART = 8_000_000


def repeated_rows(rows: pl.DataFrame) -> pl.Series:
    """Mark every row that is an exact copy of an earlier one.

    Args:
        rows: n rows.

    Returns:
        n booleans.

    >>> repeated_rows(pl.DataFrame({"user": [1, 2, 1], "time": [5, 5, 5]})).to_list()
    [False, False, True]
    """
    # Sorting one 64-bit hash a row is cheap; only rows whose hash occurs twice are compared.
    hashes = rows.hash_rows()
    ordered = np.sort(hashes.to_numpy())
    suspect_hashes = pl.Series(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]), dtype=pl.UInt64)
    del ordered
    suspects = hashes.is_in(suspect_hashes.implode()).arg_true()
    copies = rows[suspects].select(~pl.struct(pl.all()).is_first_distinct()).to_series()
    marks = np.zeros(rows.height, dtype=bool)
    marks[suspects.filter(copies).to_numpy()] = True
    return pl.Series(marks)


def one_per_pair(rows: pl.DataFrame, label: pl.Expr) -> pl.Series:
    """Choose one row of every (user, item) pair: its first positive one, else its last.

    Earlier and later go by ``timestamp``, and by row order where times are equal.

    Args:
        rows: n rows with user_id, item_id and timestamp.
        label: Whether a row is positive.

    Returns:
        n booleans: whether the row is the one chosen.

    >>> rows = pl.DataFrame(
    ...     {
    ...         "user_id": [1, 1, 1, 2, 2],
    ...         "item_id": [7, 7, 7, 7, 7],
    ...         "timestamp": [3, 9, 5, 4, 6],
    ...         "label": [0, 1, 1, 0, 0],
    ...     }
    ... )
    >>> one_per_pair(rows, pl.col("label") == 1).to_list()
    [False, False, True, False, True]
    """
    chosen = np.zeros(rows.height, dtype=bool)
    for part in parts_by_user(rows):
        positions = part["row"].to_numpy()
        times = part["timestamp"].to_numpy().astype(np.int64)
        positive = part.select(label).to_series().to_numpy()
        # Positive rows first and oldest first, then the others newest first.
        order = np.lexsort(
            (
                np.where(positive, positions, -positions),
                np.where(positive, times, -times),
                ~positive,
                part["item_id"].to_numpy(),
                part["user_id"].to_numpy(),
            )
        )
        users, items = part["user_id"].to_numpy()[order], part["item_id"].to_numpy()[order]
        first = np.ones(order.size, dtype=bool)
        first[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
        chosen[positions[order[first]]] = True
    return pl.Series(chosen)


def parts_by_user(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows in parts that keep a user's rows together, with their positions as ``row``."""
    n_parts = -(-rows.height // ROWS_PER_PART)
    for part in range(n_parts):
        positions = (rows["user_id"] % n_parts == part).arg_true()
        yield rows[positions].with_columns(positions.cast(pl.Int64).alias("row"))


def count_items(rows: pl.DataFrame, taken: pl.Series) -> pl.DataFrame:
    """Number of taken rows of every item (``item_id``, ``n``)."""
    items, n = np.unique(rows["item_id"].filter(taken).to_numpy(), return_counts=True)
    return pl.DataFrame({"item_id": items, "n": n})


def items_by_group(counts: pl.Series, old_item_threshold: int, phase_size: int) -> dict[str, int]:
    """How many items are old (n > N), new (3K < n <= N) or have too few samples to take part.

    >>> items_by_group(pl.Series([2, 4, 7]), old_item_threshold=5, phase_size=1)
    {'old': 1, 'new': 1, 'too_few': 1}
    """
    old = int((counts > old_item_threshold).sum())
    new = int(((counts > 3 * phase_size) & (counts <= old_item_threshold)).sum())
    return {"old": old, "new": new, "too_few": len(counts) - old - new}
