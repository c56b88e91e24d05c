"""Who is old, who is new, and in which phase every interaction takes part (section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recbole_mwuf.errors import UserError

UNUSED = -1
SETS = ("old", "warm_a", "warm_b", "warm_c", "test")
WARM_SETS = SETS[1:4]
PHASES = ("cold", *WARM_SETS)
VALIDATION = "validation"


@dataclass(frozen=True)
class ColdStartSplit:
    """The phase of every row and the group of every item.

    Attributes:
        set_of_row: int8, shape ``[n_rows]``; index into :data:`SETS`, or :data:`UNUSED`.
        is_old: bool, shape ``[n_items]``; items with more than N rows.
        is_new: bool, shape ``[n_items]``; items with more than 3·K and at most N rows that go
            through the phases.
        is_validation: bool, shape ``[n_items]``; such items that were held out.
        order: int64, shape ``[n_rows]``; rows sorted by item, then time, then row number.
        first: int64, shape ``[n_items + 1]``; item ``i`` owns ``order[first[i]:first[i + 1]]``.
        phase_size: K, the samples of a new item in each warm-up phase.
        n_known: int64, shape ``[n_items]``; an item's first rows that pre-training may know of.
        cut: Moment T that cuts the data; None if the split does not follow one clock.
    """

    set_of_row: np.ndarray
    is_old: np.ndarray
    is_new: np.ndarray
    is_validation: np.ndarray
    order: np.ndarray
    first: np.ndarray
    phase_size: int
    n_known: np.ndarray
    cut: float | None = None

    def rows(self, name: str) -> np.ndarray:
        """Rows of one of :data:`SETS`, or of the held-out items, in the order of the data."""
        if name == VALIDATION:
            chosen = self.is_validation[self.items_in_order()]
            return np.sort(self.order[chosen])
        return np.flatnonzero(self.set_of_row == SETS.index(name))

    def items_in_order(self) -> np.ndarray:
        """The item of every row of ``order``, shape ``[n_rows]``."""
        return np.repeat(np.arange(len(self.is_old)), np.diff(self.first))

    def counts(self) -> dict:
        """Items and rows of every group, as written to the result file."""
        return {
            "old_items": int(self.is_old.sum()),
            "new_items": int(self.is_new.sum()),
            "rows": {name: int((self.set_of_row == i).sum()) for i, name in enumerate(SETS)},
        }

    def positive_shares(self, labels: np.ndarray) -> dict:
        """The share of positives in every set; None for an empty one.

        Args:
            labels: 0 or 1 of every row, shape ``[n_rows]``.
        """
        parts = {name: labels[self.set_of_row == i] for i, name in enumerate(SETS)}
        return {name: round(float(x.mean()), 4) if len(x) else None for name, x in parts.items()}

    def summary(self) -> str:
        """The same in words."""
        counts = self.counts()
        rows, n_held_out = counts["rows"], int((self.is_validation & ~self.is_new).sum())
        held_out = f"; {n_held_out} more held out for validation" if n_held_out else ""
        return (
            f"{counts['old_items']} old items with {rows['old']:,} samples; {counts['new_items']} "
            f"new items with {self.phase_size} each in warm-a, warm-b and warm-c and "
            f"{rows['test']:,} in test{held_out}"
        )


def cold_start_split(
    items: np.ndarray,
    times: np.ndarray,
    old_item_threshold: int,
    phase_size: int,
    n_items: int | None = None,
    validation_items: float | None = None,
    score_validation: bool = False,
    timeline_cut: float | None = None,
) -> ColdStartSplit:
    """Split interactions into old items, three warm-up phases and a test set.

    An item with ``n`` rows is *old* if ``n > N``, *new* if ``3K < n <= N`` and takes no part
    otherwise. The rows of a new item are ordered by time, ties by row number: the first K are
    warm-a, the next K warm-b, the next K warm-c, the rest is the test set.

    New items may be held out for tuning and early stopping. Which ones depends on the data only,
    not on a seed: what has been tuned on is never reported. The rest of the split is the same.

    Args:
        items: Item of every row, non-negative integers, shape ``[n_rows]``.
        times: Time of every row, any sortable unit, shape ``[n_rows]``.
        old_item_threshold: N.
        phase_size: K.
        n_items: Number of item IDs; defaults to the largest ID plus one.
        validation_items: Share of the new items that is held out; 0 or None for none.
        score_validation: Whether the held-out items go through the phases and the others take
            no part, for tuning; else the other way round.
        timeline_cut: Share of the rows before the moment T that cuts the data; None for the
            paper's split. With it, an item is old if it has more than N rows before T, of which
            pre-training knows nothing later; new if its first row is at T or later and it has
            more than 3K.

    Returns:
        ColdStartSplit: the group of every row and of every item.

    Raises:
        UserError: if N and K leave no old or no new items; the message names values that work.

    Examples:
        Item 0 has five rows and is old; item 1 has four and is new, out of time order.

        >>> items = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
        >>> times = np.array([1, 2, 3, 4, 5, 9, 6, 8, 7])
        >>> split = cold_start_split(items, times, old_item_threshold=4, phase_size=1)
        >>> [SETS[i] for i in split.set_of_row[5:]]
        ['test', 'warm_a', 'warm_c', 'warm_b']
        >>> split.counts()["rows"]
        {'old': 5, 'warm_a': 1, 'warm_b': 1, 'warm_c': 1, 'test': 1}
    """
    items, times = np.asarray(items), np.asarray(times)
    _check_sizes(old_item_threshold, phase_size)
    if np.isnan(times.astype(np.float64)).any():
        raise UserError("the time field has empty values; every interaction needs a time")
    counts = np.bincount(items, minlength=n_items or 0)
    cut = None if timeline_cut is None else float(np.quantile(times, timeline_cut, method="higher"))
    n_known = counts if cut is None else np.bincount(items[times < cut], minlength=len(counts))
    is_old = n_known > old_item_threshold
    is_new = (counts > 3 * phase_size) & (~is_old if cut is None else n_known == 0)
    _check_groups(counts, is_old, is_new, old_item_threshold, phase_size)
    is_validation = _held_out(is_new, validation_items or 0)
    if score_validation and not validation_items:
        raise UserError("score_validation needs validation_items, such as validation_items=0.2")
    is_new = is_validation if score_validation else is_new & ~is_validation

    order = np.lexsort((times, items))  # a stable sort: ties keep the order of the rows
    first = np.concatenate(([0], np.cumsum(counts)))
    rank = np.empty(len(items), dtype=np.int64)
    rank[order] = np.arange(len(items)) - first[items[order]]
    phase = np.minimum(rank // phase_size, 3) + 1
    set_of_row = np.where(is_new[items], phase, UNUSED)
    set_of_row[is_old[items] & (rank < n_known[items])] = 0
    return ColdStartSplit(
        *(set_of_row.astype(np.int8), is_old, is_new, is_validation, order, first, phase_size),
        np.where(is_old, n_known, 0),
        cut,
    )


def _held_out(is_new: np.ndarray, share: float) -> np.ndarray:
    """A random share of the new items, by a draw per item that no other setting moves."""
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise UserError(f"validation_items is {share!r}, but must be a share of the new items: 0.2")
    new = np.flatnonzero(is_new)
    n_held_out = round(share * len(new))
    if share and not 0 < n_held_out < len(new):
        raise UserError(
            f"validation_items={share} holds out {n_held_out} of {len(new)} new items; it must "
            "leave some on either side"
        )
    draw = np.random.default_rng(0).random(len(is_new))
    held_out = np.zeros_like(is_new)
    held_out[new[np.argsort(draw[new])[:n_held_out]]] = True
    return held_out


def _check_sizes(old_item_threshold: object, phase_size: object) -> None:
    for name, value in (("old_item_threshold", old_item_threshold), ("phase_size", phase_size)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise UserError(
                f"{name} is {value!r}, but it must be a whole number of at least 1; set it in the "
                f"data set's properties file or with --{name}=..."
            )


def _check_groups(
    counts: np.ndarray, is_old: np.ndarray, is_new: np.ndarray, threshold: int, size: int
) -> None:
    """Refuse an N and K that leave nothing to learn from or nothing to score."""
    if is_old.any() and is_new.any():
        return
    lacking = "new" if is_old.any() else "old"
    raise UserError(
        f"old_item_threshold={threshold} (N) and phase_size={size} (K) leave no {lacking} items: "
        f"old items need more than N interactions, new items more than 3K and at most N. "
        + _suggestion(counts[counts > 0])
    )


def _suggestion(counts: np.ndarray) -> str:
    """Name an N and K that do work: the busiest fifth of the items old, ten rows to a phase."""
    for quantile in (0.8, 0.6, 0.9, 0.95, 0.5):
        threshold = int(np.quantile(counts, quantile)) if len(counts) else 0
        size = max(1, threshold // 10)
        new = int(((counts > 3 * size) & (counts <= threshold)).sum())
        old = int((counts > threshold).sum())
        if new and old:
            return (
                f"On this data --old_item_threshold={threshold} --phase_size={size} gives "
                f"{old} old and {new} new items."
            )
    most = int(counts.max()) if len(counts) else 0
    return (
        f"No N and K fit this data: its {len(counts)} items have at most {most} interactions each. "
        "Check the filters (val_interval, item_inter_num_interval) or use more data."
    )
