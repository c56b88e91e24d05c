"""New items go through their phases in the order of one clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from recbole_mwuf.data.dataset import ColdStartDataset
from recbole_mwuf.data.split import PHASES


class Tick(NamedTuple):
    """A step of the clock.

    Attributes:
        name: Of its moment, in the data set's history, and of its two sets of rows.
        learned: Rows of warm-up sets that are complete by its beginning and not learned yet.
        scored: Rows of new items that come during it.
        phase: For every scored row the number of warm-up sets that its item has consumed.
    """

    name: str
    learned: np.ndarray
    scored: np.ndarray
    phase: np.ndarray


def ticks(dataset: ColdStartDataset, n_ticks: int) -> Iterator[Tick]:
    """The clock from the cut to the end, in steps with about as many rows of new items each.

    A row is scored with what was complete before its tick began, so never with anything later.

    Args:
        dataset: Split by a timeline.
        n_ticks: Steps.
    """
    split, times = dataset.split, dataset.times
    size, last = split.phase_size, len(PHASES) - 1
    new_rows = np.flatnonzero(split.set_of_row > 0)
    item_of_row = np.empty(len(times), dtype=np.int64)
    item_of_row[split.order] = split.items_in_order()
    rank = dataset.history.position - split.first[item_of_row]
    shares = np.linspace(0, 1, n_ticks, endpoint=False)
    begins = np.unique(np.quantile(times[new_rows], shares, method="lower"))
    consumed = np.zeros(len(split.is_new), dtype=np.int64)
    for number, (begin, end) in enumerate(zip(begins, [*begins[1:], np.inf])):
        before = new_rows[times[new_rows] < begin]
        complete = np.bincount(item_of_row[before], minlength=len(consumed)) // size
        complete = np.minimum(complete, last)
        block = rank[before] // size
        items = item_of_row[before]
        learned = before[(block >= consumed[items]) & (block < complete[items])]
        consumed = complete
        now = (times[new_rows] >= begin) & (times[new_rows] < end)
        scored = new_rows[now]
        name = f"tick {number}"
        dataset.history.add_moment(name, consumed)
        yield Tick(name, learned, scored, consumed[item_of_row[scored]])
