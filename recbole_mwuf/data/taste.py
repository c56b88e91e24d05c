"""Taste features: what a user thinks of items like this one, as numbers that any base can read.

A new item has shown nothing, but its genres have. For every sample these numbers are smoothed mean
labels of *training rows of old items*. They leak no label: old items are cut into folds, and the
numbers of an item's rows come from the other folds. (Leaving out the row alone would tell its
label: the mean without it differs from the mean with it.) What new items show does not enter,
unless ``taste_online`` lets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from itertools import combinations
from typing import Any

import numpy as np
import torch
from recbole.utils import FeatureType
from torch import Tensor

from recbole_mwuf.data.item_groups import NONE, ItemGroups, PairGroups, value_numbers
from recbole_mwuf.data.protocols import Fields
from recbole_mwuf.data.tally import Tally
from recbole_mwuf.data.taste_fields import check_fields, names_of

_OF_USER = 5  # pseudo-samples that a user's mean label is smoothed by
_OF_ALL = 50  # that a mean label of many users is smoothed by
_ROWS_AT_ONCE = 1 << 17
_SEED = 0  # folds follow from the data, not from a run's seed

Group = tuple[str, ...]  # of items: by a field's values, its set of values, two fields' sets
_EVERY: Group = ("every",)
_ALL, _EACH = "all users", "each user"  # and by the value of a field of theirs


class Taste:
    """The numbers of any pair of user and item, from the samples that have been added.

    Args:
        config: Uses ``taste_fields``, ``taste_user_fields``, ``taste_bands``, ``taste_folds``.
        dataset: Users, items and their features.
        n_items: How many of its items are known; others may be appended.

    Attributes:
        names: Names of the numbers.
        online: Whether samples of new items are to be added as they come.
        fold_of_item: int64, shape ``[n_items]``; 0 to F - 1 of old items, F to 2F - 1 of others.

    Raises:
        UserError: if a field is not among the item's or the user's tokens.
    """

    def __init__(self, config: Any, dataset: Fields, n_items: int):
        self.fields = list(config["taste_fields"])
        self.online: bool = config["taste_online"]
        self._user_fields = list(config["taste_user_fields"] or ())
        check_fields(dataset, self.fields, self._user_fields)
        self._n_folds: int = config["taste_folds"]
        self._pairs = list(combinations(self.fields, 2))
        sequences = dataset.fields(ftype=[FeatureType.TOKEN_SEQ])
        self._many_valued = [field for field in self.fields if field in sequences]
        self.names = names_of(self.fields, self._user_fields, self._many_valued)

        tokens, bands = dataset.field2id_token, config["taste_bands"] or {}
        self._values = {f: ItemGroups(value_numbers(tokens[f], bands.get(f))) for f in self.fields}
        self._both = {p: PairGroups(*(self._values[f] for f in p)) for p in self._pairs}
        self._who = {_ALL: np.zeros(dataset.user_num, dtype=np.int64)}
        self._who[_EACH] = np.arange(dataset.user_num)
        user_feat: Any = dataset.user_feat
        for field in self._user_fields:
            self._who[field] = user_feat[field].cpu().numpy()
        self._tallies = {table: Tally(2 * self._n_folds) for table in self._tables()}
        self.fold_of_item = np.zeros(0, dtype=np.int64)
        self._mean = np.zeros(len(self.names), dtype=np.float32)
        self._scale = np.ones(len(self.names), dtype=np.float32)
        item_feat: Any = dataset.item_feat
        self.append_items({f: item_feat[f][:n_items] for f in self.fields})

    def _tables(self) -> Iterator[tuple[str, Group]]:
        """Whose samples of which groups of items are counted."""
        yield from ((_ALL, _EVERY), (_EACH, _EVERY))
        yield from ((_EACH, ("values", field)) for field in self.fields)
        yield from ((_EACH, ("sets", field)) for field in self._many_valued)
        yield from ((_ALL, ("sets", field)) for field in self.fields)
        yield from ((_ALL, ("sets", *pair)) for pair in self._pairs)
        yield from ((who, ("sets", field)) for who in self._user_fields for field in self.fields)

    def append_items(self, columns: dict[str, Tensor]) -> None:
        """Take in items that are not old.

        Args:
            columns: The IDs of each of the fields, ``[n]`` or ``[n, L]``.
        """
        for field, groups in self._values.items():
            groups.append(columns[field].cpu().numpy())
        for pair in self._both.values():
            pair.catch_up()
        self._set_groups()
        new = np.arange(len(self.fold_of_item), len(self._groups[_EVERY]))
        self.fold_of_item = np.append(self.fold_of_item, self._n_folds + new % self._n_folds)

    def take_back(self, n_items: int) -> None:
        """The items that were appended last are unknown again."""
        for of_field in self._values.values():
            of_field.take_back(n_items)
        for of_pair in self._both.values():
            of_pair.take_back(n_items)
        self._set_groups()
        self.fold_of_item = self.fold_of_item[:-n_items]

    def _set_groups(self) -> None:
        """What every item belongs to, ``[n_items, L]`` each."""
        self._groups: dict[Group, np.ndarray] = {
            **{("values", field): groups.values for field, groups in self._values.items()},
            **{("sets", field): groups.sets for field, groups in self._values.items()},
            **{("sets", *pair): groups.sets for pair, groups in self._both.items()},
        }
        n_items = len(next(iter(self._groups.values())))
        self._groups[_EVERY] = np.zeros((n_items, 1), dtype=np.int64)

    def set_old_items(self, is_old: np.ndarray) -> None:
        """Cut the old items, bool ``[n_items]``, into folds of like size."""
        old = np.flatnonzero(is_old)
        draw = np.random.default_rng(_SEED).random(len(is_old))[old]
        self.fold_of_item[old[np.argsort(draw)]] = np.arange(len(old)) % self._n_folds

    def add(self, users: np.ndarray, items: np.ndarray, labels: np.ndarray) -> None:
        """Count samples: from now on they enter the numbers of all items but their own folds'."""
        for part in _parts(len(users)):
            folds = self.fold_of_item[items[part], None]
            for table, tally in self._tallies.items():
                tally.add(
                    self._entities(*table, users[part], items[part]), folds, labels[part, None]
                )

    def pack(self) -> None:
        """Make looking up faster, after many samples have been added."""
        for tally in self._tallies.values():
            tally.pack()

    def _entities(self, who: str, group: Group, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What a sample is counted for, ``[B, L]``; negative for nothing."""
        groups, owners = self._groups[group][items], self._who[who]
        n_owners = int(owners.max()) + 1
        return np.where(groups == NONE, NONE, groups * n_owners + owners[users, None])

    def _counts(self, who: str, group: Group, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Positive samples and samples of items in other folds, ``[2, B, L]``."""
        entities = self._entities(who, group, users, items)
        return self._tallies[who, group].without(entities, self.fold_of_item[items, None])

    def of(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The numbers of pairs, in the order of their names.

        Args:
            users: int64, shape ``[B]``.
            items: int64, shape ``[B]``.

        Returns:
            np.ndarray: float32, shape ``[B, n_numbers]``.
        """
        numbers = np.empty((len(users), len(self.names)), dtype=np.float32)
        for part in _parts(len(users)):
            numbers[part] = np.concatenate(list(self._columns(users[part], items[part])), axis=1)
        return self._standardised(numbers)

    def _standardised(self, numbers: np.ndarray) -> np.ndarray:
        """In place: there are many."""
        numbers -= self._mean
        numbers /= self._scale
        return numbers

    def _columns(self, users: np.ndarray, items: np.ndarray) -> Iterator[np.ndarray]:
        """The numbers as they are, not standardised; float64, ``[B, 1]`` each."""
        pair = (users, items)
        positive, count = self._counts(_ALL, _EVERY, *pair)
        overall = np.divide(positive, count, out=np.full(count.shape, 0.5), where=count > 0)
        own = _smoothed(self._counts(_EACH, _EVERY, *pair), _OF_USER, overall)
        yield own
        for field in self.fields:
            counts = self._counts(_EACH, ("values", field), *pair)
            liking = _smoothed(counts, _OF_USER, own)
            is_value = self._groups["values", field][items] != NONE
            is_value[:, 0] |= ~is_value.any(axis=1)  # no values: the user's own mean stands there
            total = np.where(is_value, liking, 0).sum(axis=1, keepdims=True)
            yield total / is_value.sum(axis=1, keepdims=True)
            yield np.log1p(counts[1].sum(axis=1, keepdims=True))
            if field in self._many_valued:
                yield np.where(is_value, liking, np.inf).min(axis=1, keepdims=True)
                yield np.where(is_value, liking, -np.inf).max(axis=1, keepdims=True)
                counts = self._counts(_EACH, ("sets", field), *pair)
                yield _smoothed(counts, _OF_USER, own)
                yield np.log1p(counts[1])
        for who, group in self._tables():
            if who != _EACH and group != _EVERY:
                yield _smoothed(self._counts(who, group, *pair), _OF_ALL, overall)

    def standardise(self, numbers: np.ndarray, training: np.ndarray) -> np.ndarray:
        """From now on, numbers like the training rows' have mean 0 and standard deviation 1.

        Args:
            numbers: As :meth:`of` gave them, ``[n_rows, n_numbers]``.
            training: bool, ``[n_rows]``.

        Returns:
            np.ndarray: the same array, standardised.
        """
        columns = (column[training].astype(np.float64) for column in numbers.T)
        moments = np.array([(column.mean(), column.std() or 1.0) for column in columns])
        self._mean, self._scale = moments.T.astype(np.float32)
        return self._standardised(numbers)

    def columns(self, numbers: Tensor) -> dict[str, Tensor]:
        """Numbers ``[B, n_numbers]`` as columns of a batch, the way RecBole keeps float fields.

        Returns:
            dict: by name value and bucket, ``[B, 2]``; the bucket of undivided values is 1.
        """
        pairs = torch.stack([numbers, torch.ones_like(numbers)], dim=2)
        return dict(zip(self.names, pairs.unbind(1)))

    def columns_of(self, users: Tensor, items: Tensor) -> dict[str, Tensor]:
        """:meth:`columns` of pairs ``[B]``."""
        numbers = self.of(users.cpu().numpy(), items.cpu().numpy())
        return self.columns(torch.from_numpy(numbers).to(users.device))

    def copy(self) -> Taste:
        """Another one that starts with the same samples and may count others."""
        other = copy(self)
        other._tallies = {table: tally.copy() for table, tally in self._tallies.items()}
        return other

    def tensors(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the settings and the items' features."""
        return {
            "fold_of_item": torch.from_numpy(self.fold_of_item),
            "mean": torch.from_numpy(self._mean),
            "scale": torch.from_numpy(self._scale),
            "tallies": [tally.tensor() for tally in self._tallies.values()],
        }

    def load(self, tensors: dict[str, Any]) -> None:
        """The counterpart of :meth:`tensors`."""
        self.fold_of_item = tensors["fold_of_item"].numpy()
        self._mean, self._scale = tensors["mean"].numpy(), tensors["scale"].numpy()
        n_folds = 2 * self._n_folds
        tallies = (Tally.from_tensor(content, n_folds) for content in tensors["tallies"])
        self._tallies = dict(zip(self._tallies, tallies))


def _parts(n_rows: int) -> Iterator[slice]:
    """So many rows at once that memory stays bounded."""
    return (slice(i, i + _ROWS_AT_ONCE) for i in range(0, n_rows, _ROWS_AT_ONCE))


def _smoothed(counts: np.ndarray, weight: int, prior: np.ndarray) -> np.ndarray:
    """The mean label if there were ``weight`` more samples, with the prior as their mean."""
    positive, count = counts
    return (positive + weight * prior) / (count + weight)
