"""Interactions that have just come in: checked, told apart, and in batches."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from numbers import Number

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
_MISSING = {"", "nan", "NaN", "None", "<NA>", "NaT"}  # how what is missing looks as a text
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character
_NO_TIME = "a time must be a finite number, a date one in the unit of the training data"


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
        UserError: if a column is missing or there twice, an item is unknown, an ID is missing or
            no proper text, a label is not 0 or 1, or a time is not a finite number.
    """
    names = (catalog.uid_field, catalog.iid_field, catalog.label_field, catalog.time_field)
    check_columns("interactions", interactions, names)
    user, item, label, time = (interactions[name] for name in names)
    labels, times = _numbers(label), _numbers(time)
    _refuse((labels != 0) & (labels != 1), label, "labels must be 0 or 1")
    _refuse(~np.isfinite(times), time, _NO_TIME)
    users, items = user.tolist(), item.tolist()
    check_tokens(f"interactions: {user.name}", users)
    fingerprints = None
    if EVENT_ID in interactions:
        event = interactions[EVENT_ID].tolist()
        check_tokens(f"interactions: {EVENT_ID}", event)
        fingerprints = np.array([_fingerprint(i) for i in event], dtype=np.int64)
    return Events(
        users=catalog.ids(catalog.uid_field, users),
        items=item_ids(catalog, items),
        labels=labels.astype(np.float32),
        times=times,
        fingerprints=fingerprints,
    )


def check_columns(what: str, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a table that lacks a column or has one twice.

    Args:
        what: What the message calls the table.
        table: Raw values.
        names: The columns that it must have.
    """
    missing = [name for name in names if name not in table]
    if missing:
        raise UserError(f"{what}: no column {missing}; it takes {list(names)}")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise UserError(f"{what}: there are two columns '{twice}'")


def check_tokens(what: str, tokens: Iterable) -> None:
    """Refuse IDs that are missing, or text that no file can hold.

    Args:
        what: What the message calls them.
        tokens: Raw values.

    Raises:
        UserError: with the number of the first such row.
    """
    tokens = list(tokens)
    texts = list(map(str, tokens))
    if _MISSING.intersection(texts):  # or one of these is its name
        for row, token in enumerate(tokens):
            if _is_missing(token):
                raise UserError(
                    f"{what} is missing in row {row} (pandas reads NA as missing, unless with "
                    "keep_default_na=False)"
                )
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        row = next(i for i, text in enumerate(texts) if _SURROGATE.search(text))
        raise UserError(f"{what} is {texts[row]!r} in row {row}, which is no text") from None


def _is_missing(token: object) -> bool:
    if isinstance(token, str):
        return not token
    return token is None or token is pd.NA or token is pd.NaT or token != token


def _numbers(column: pd.Series) -> np.ndarray:
    """A column as float64, NaN where there is no number; a date is none."""
    if column.dtype.kind in "biuf":
        if isinstance(column.dtype, np.dtype):  # pandas' own types may have missing values
            return column.to_numpy().astype(np.float64)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = column.map(lambda value: value if isinstance(value, (str, Number)) else None)
    return pd.to_numeric(numbers, errors="coerce").to_numpy(dtype=np.float64)


def item_ids(catalog: Catalog, tokens: Iterable) -> np.ndarray:
    """IDs of item tokens, int64.

    Raises:
        UserError: if one is missing or unknown.
    """
    tokens = list(tokens)
    check_tokens(catalog.iid_field, tokens)
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
        """Remember events that are not known; the oldest are forgotten."""
        new = fingerprints.tolist()
        try:
            self.known.update(dict.fromkeys(new))
            while len(self.known) > self.size:
                self.known.popitem(last=False)
        except BaseException:  # Ctrl-C: they have not been learned from and may come again
            for fingerprint in new:
                self.known.pop(fingerprint, None)
            raise


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
        users, items = self._users[rows], self._items[rows]
        columns = {**self.catalog.pairs(users, items), **self.catalog.context(users, items)}
        columns[self.catalog.label_field] = self._labels[rows]
        columns[HISTORY_START], columns[HISTORY_END] = self._start[rows], self._end[rows]
        return Interaction(columns)
