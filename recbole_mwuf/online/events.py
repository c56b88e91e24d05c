"""Interactions that have just come in: checked, told apart, and in batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd
import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_mwuf.data import Catalog
from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START
from recbole_mwuf.data.item_state import Ranges
from recbole_mwuf.errors import UserError

EVENT_ID = "event_id"


@dataclass(frozen=True)
class Events:
    """Checked interactions, in the order in which they were given.

    Attributes:
        users: int64, shape ``[B]``; 0 if unknown.
        items: int64, shape ``[B]``.
        labels: float32, shape ``[B]``; 0 or 1.
        times: float64, shape ``[B]``.
        fingerprints: int64, shape ``[B]``, of the event IDs; None if there are none.
    """

    users: np.ndarray
    items: np.ndarray
    labels: np.ndarray
    times: np.ndarray
    fingerprints: np.ndarray | None = None

    def chosen(self, rows: np.ndarray) -> Events:
        """The interactions for which ``rows``, bool ``[B]``, holds; without fingerprints."""
        columns = (self.users, self.items, self.labels, self.times)
        return Events(*(column[rows] for column in columns))

    def __len__(self) -> int:
        return len(self.items)


def read_events(catalog: Catalog, interactions: pd.DataFrame) -> Events:
    """Check interactions and turn tokens into IDs.

    Args:
        catalog: The known users and items.
        interactions: A column of raw values for user, item, label and time, named as in the data
            set, and ``event_id`` if events can come twice.

    Raises:
        UserError: if a column is missing, an item is unknown, a label is not 0 or 1, or a time or
            event ID is missing.
    """
    names = (catalog.uid_field, catalog.iid_field, catalog.label_field, catalog.time_field)
    missing = [name for name in names if name not in interactions]
    if missing:
        raise UserError(f"interactions: no column {missing}; it takes {list(names)}")
    user, item, label, time = (interactions[name] for name in names)
    labels, times = _numbers(label), _numbers(time)
    _refuse((labels != 0) & (labels != 1), label, "labels must be 0 or 1")
    _refuse(np.isnan(times), time, "a time must be a number")
    fingerprints = None
    if EVENT_ID in interactions:
        event = interactions[EVENT_ID]
        _refuse(event.isna().to_numpy(), event, "every event needs its ID")
        fingerprints = np.array([_fingerprint(i) for i in event], dtype=np.int64)
    return Events(
        users=catalog.ids(catalog.uid_field, user),
        items=item_ids(catalog, item),
        labels=labels.astype(np.float32),
        times=times,
        fingerprints=fingerprints,
    )


def _numbers(column: pd.Series) -> np.ndarray:
    """A column as float64, NaN where there is no number."""
    if column.dtype.kind in "biuf":
        return column.to_numpy(dtype=np.float64)
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)


def item_ids(catalog: Catalog, tokens: Iterable) -> np.ndarray:
    """IDs of item tokens, int64.

    Raises:
        UserError: if one is unknown.
    """
    tokens = list(tokens)
    ids = catalog.ids(catalog.iid_field, tokens)
    unknown = [str(tokens[i]) for i in np.flatnonzero(ids == 0)]
    if unknown:
        raise UserError(
            f"{catalog.iid_field}={unknown[0]} is unknown, as are {len(set(unknown)) - 1} others; "
            "add items with add_items (--items=FILE) before they are observed or scored"
        )
    return ids


def _refuse(bad: np.ndarray, values: pd.Series, reason: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        (value,) = values.iloc[[row]].tolist()  # of Python's types, not numpy's
        raise UserError(
            f"interactions: {values.name}={value!r} in row {row} and {bad.sum() - 1} others: "
            f"{reason}; nothing was learned from this batch"
        )


def _fingerprint(event_id: object) -> int:
    digest = blake2b(str(event_id).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class EventWindow:
    """Remembers the latest events, so that one that comes twice counts once.

    Args:
        size: How many are remembered.
        fingerprints: Those that are known, oldest first.
    """

    def __init__(self, size: int, fingerprints: Iterable[int]):
        self.size = size
        self.known = OrderedDict.fromkeys(fingerprints)

    def first_time(self, fingerprints: np.ndarray) -> np.ndarray:
        """Which events are neither known nor repeated among themselves; bool ``[B]``."""
        first = np.zeros(len(fingerprints), dtype=bool)
        first[np.unique(fingerprints, return_index=True)[1]] = True
        return first & np.array([f not in self.known for f in fingerprints.tolist()], dtype=bool)

    def add(self, fingerprints: np.ndarray) -> None:
        """Remember events; the oldest are forgotten."""
        self.known.update(dict.fromkeys(fingerprints.tolist()))
        while len(self.known) > self.size:
            self.known.popitem(last=False)


class EventSet:
    """Interactions in the shape of a data set with a single set, for the loaders of training.

    Args:
        catalog: Their users and items.
        events: The interactions.
        ranges: The history of each.
    """

    def __init__(self, catalog: Catalog, events: Events, ranges: Ranges):
        self.config, self.catalog = catalog.config, catalog
        self.times, self._item_ids = events.times, events.items
        device = self.config["device"]
        self._users, self._items, self._labels, self._start, self._end = (
            torch.from_numpy(column).to(device)
            for column in (events.users, events.items, events.labels, ranges.start, ranges.end)
        )

    def ordered_rows(self, name: str, order: str) -> np.ndarray:
        """Row numbers of the only set, in the order in which they came in, or by item."""
        if order == "item":
            return np.argsort(self._item_ids, kind="stable")
        return np.arange(len(self._item_ids))

    def items_of(self, rows: np.ndarray) -> np.ndarray:
        """The items of some rows, int64."""
        return self._item_ids[rows]

    def batch(self, rows: Tensor, phase: str | None = None) -> Interaction:
        """Some interactions as a model reads them, row numbers ``[B]``."""
        columns = self.catalog.pairs(self._users[rows], self._items[rows])
        columns[self.catalog.label_field] = self._labels[rows]
        columns[HISTORY_START], columns[HISTORY_END] = self._start[rows], self._end[rows]
        return Interaction(columns)
