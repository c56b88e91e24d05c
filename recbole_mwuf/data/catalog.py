"""What a model asks of its data set, without the interactions: enough to rebuild and serve it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from logging import getLogger
from typing import Any

import numpy as np
import pandas as pd
import torch
from recbole.data.interaction import Interaction
from recbole.utils import FeatureSource, FeatureType
from torch import Tensor

from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START, ColdStartDataset, select
from recbole_mwuf.errors import UserError

_TOKENS = (FeatureType.TOKEN, FeatureType.TOKEN_SEQ)
_FEATURES = {"user": FeatureSource.USER, "item": FeatureSource.ITEM}
_SOURCES = [
    *(FeatureSource.INTERACTION, FeatureSource.USER_ID, FeatureSource.ITEM_ID),
    *_FEATURES.values(),
]


class Catalog:
    """Fields, tokens and features of users and items; stands in for the data set of a model.

    Args:
        config: The settings that the model was trained with.
        content: What :meth:`content` returned, of this class or of :meth:`content_of`.

    Attributes:
        field2id_token: Tokens of every field by ID; 0 is padding and stands for what is unknown.
        user_feat: ID columns of every user; None without features.
        item_feat: ID columns of every item; None without features.
        item_num: Item IDs that there is room for, at least as many as there are tokens.
        fingerprint: Of the data set that the model was trained on.

    Raises:
        UserError: if the model reads fields that a new item or a pair cannot bring.
    """

    def __init__(self, config: Any, content: dict[str, Any]):
        self.config = config
        self.uid_field, self.iid_field = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
        self.label_field, self.time_field = config["LABEL_FIELD"], config["TIME_FIELD"]
        self._check_fields(content["fields"])
        self.field2id_token = {name: field["tokens"] for name, field in content["fields"].items()}
        self.field2type = {n: FeatureType(f["type"]) for n, f in content["fields"].items()}
        self._source = {n: FeatureSource(f["source"]) for n, f in content["fields"].items()}
        self._ids = {
            name: {token: i for i, token in enumerate(tokens)}
            for name, tokens in self.field2id_token.items()
        }
        self.item_num = content["item_num"]
        self.fingerprint: dict[str, str] = content["fingerprint"]
        self.user_num = len(self.field2id_token[self.uid_field])
        device = config["device"]
        self.user_feat, self.item_feat = (
            Interaction(columns).to(device) if (columns := content[f"{of}_features"]) else None
            for of in _FEATURES
        )
        # filled in by who owns the model: nothing has been seen yet
        self.is_old = np.zeros(self.item_num, dtype=bool)
        self.history_users = np.zeros(1, dtype=np.int64)

    @staticmethod
    def content_of(dataset: ColdStartDataset) -> dict[str, Any]:
        """A data set's fields, tokens and features as plain values and tensors."""
        numerical = dataset.config["numerical_features"] or ()
        features = {"user": dataset.user_feat, "item": dataset.item_feat}
        return {
            "fields": {
                name: {
                    "type": dataset.field2type[name].value,
                    "source": dataset.field2source[name].value,
                    "tokens": [str(t) for t in dataset.field2id_token.get(name, ())],
                }
                for name in dataset.fields(source=_SOURCES)
                if dataset.field2type[name] in _TOKENS or name in numerical
            },
            "item_num": dataset.item_num,
            "fingerprint": dataset.fingerprint,
            **{
                f"{of}_features": {
                    name: features[of][name].cpu()
                    for name in dataset.fields(ftype=_TOKENS, source=[source])
                }
                for of, source in _FEATURES.items()
            },
        }

    def content(self) -> dict[str, Any]:
        """The counterpart of :meth:`content_of`."""
        return {
            "fields": {
                name: {
                    "type": self.field2type[name].value,
                    "source": self._source[name].value,
                    "tokens": tokens,
                }
                for name, tokens in self.field2id_token.items()
            },
            "item_num": self.item_num,
            "fingerprint": self.fingerprint,
            **{
                f"{of}_features": {} if feat is None else dict(feat.to("cpu").interaction)
                for of, feat in (("user", self.user_feat), ("item", self.item_feat))
            },
        }

    def _check_fields(self, fields: dict[str, dict]) -> None:
        floats = [n for n, f in fields.items() if FeatureType(f["type"]) not in _TOKENS]
        if floats:
            raise UserError(
                f"the model reads numerical_features={floats}, but new items can be added to a "
                "model of token features only"
            )
        context = [n for n, f in fields.items() if f["source"] == FeatureSource.INTERACTION.value]
        if context:
            raise UserError(
                f"the model reads the interaction fields {context}, but a pair of user and item "
                "does not bring them; leave them out of load_col when you train"
            )

    def fields(
        self,
        ftype: Sequence[FeatureType] | None = None,
        source: Sequence[FeatureSource] | None = None,
    ) -> list[str]:
        """Names of the token fields, as RecBole's Dataset gives them."""
        return [
            name
            for name in self.field2type
            if (ftype is None or self.field2type[name] in ftype)
            and (source is None or self._source[name] in source)
        ]

    def num(self, field: str) -> int:
        """How many IDs a field has."""
        return self.item_num if field == self.iid_field else len(self.field2id_token[field])

    def n_known_items(self) -> int:
        """Items that have a token, padding included."""
        return len(self.field2id_token[self.iid_field])

    def ids(self, field: str, tokens: Iterable) -> np.ndarray:
        """IDs of raw tokens, int64, 0 where a token is unknown."""
        return np.fromiter(map(self._ids[field].get, map(str, tokens), repeat(0)), dtype=np.int64)

    def encode(self, features: pd.DataFrame) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Item features as ID columns.

        Args:
            features: Raw tokens, a column for every item feature; sequences as lists or separated
                as in the data set's files.

        Returns:
            tuple: column by field, and how many values of each field are unknown; these get ID 0,
            as RecBole gives it to a missing value.

        Raises:
            UserError: if a column is missing.
        """
        columns, unknown = {}, {}
        names = self.fields(source=[FeatureSource.ITEM])
        missing = [name for name in names if name not in features]
        if missing:
            raise UserError(
                f"items: no column {missing}; the model reads the features {names} of an item"
            )
        for name in names:
            if self.field2type[name] == FeatureType.TOKEN:
                ids = self.ids(name, features[name])
                ids[features[name].isna()] = 0  # whatever its text is called
                columns[name], unknown[name] = torch.from_numpy(ids), int((ids == 0).sum())
            else:
                columns[name], unknown[name] = self._encode_sequences(name, features[name])
        return columns, unknown

    def _encode_sequences(self, name: str, values: Iterable) -> tuple[Tensor, int]:
        """Known tokens only, as many as a row has room for since training."""
        assert self.item_feat is not None  # the field is one of its own
        width = self.item_feat[name].shape[1]
        rows = [self.ids(name, _sequence(v, self.config["seq_separator"])) for v in values]
        known = [row[row > 0] for row in rows]
        column = torch.zeros(len(rows), width, dtype=torch.long)
        for i, row in enumerate(known):
            column[i, : len(row)] = torch.from_numpy(row[:width])
        if cut := sum(max(0, len(row) - width) for row in known):
            getLogger().warning(
                f"{name}: {cut} values are left out, since a row has room for the {width} of the "
                "longest row in training"
            )
        return column, sum(map(len, rows)) - sum(map(len, known))

    def add_items(self, tokens: list[str], columns: dict[str, Tensor]) -> np.ndarray:
        """Give items IDs and features; there must be room for them.

        Args:
            tokens: New item tokens.
            columns: Their encoded features.

        Returns:
            np.ndarray: Their IDs.
        """
        first = self.n_known_items()
        ids = np.arange(first, first + len(tokens))
        self.field2id_token[self.iid_field].extend(tokens)
        self._ids[self.iid_field].update(zip(tokens, ids.tolist()))
        feat = {} if self.item_feat is None else self.item_feat.interaction
        for name, values in columns.items():
            feat[name][first : first + len(tokens)] = values.to(feat[name].device)
        return ids

    def take_back(self, n_items: int) -> None:
        """The items that were added last are as unknown as before."""
        tokens = self.field2id_token[self.iid_field]
        for token in tokens[-n_items:]:
            del self._ids[self.iid_field][token]
        del tokens[-n_items:]

    def grow(self, item_num: int) -> None:
        """Make room for more items."""
        self.item_num = item_num
        if self.item_feat is not None:
            for name, column in self.item_feat.interaction.items():
                self.item_feat[name] = resized(column, item_num, *column.shape[1:])

    def pairs(self, users: Tensor, items: Tensor) -> dict[str, Tensor]:
        """The columns that a model reads of users and items, IDs of shape ``[B]``."""
        columns = {self.uid_field: users, self.iid_field: items}
        for feat, ids in ((self.user_feat, users), (self.item_feat, items)):
            if feat is not None:
                columns.update(select(feat, ids))
        return columns

    def example(self) -> Interaction:
        """A row of padding, for a model that looks at one."""
        zero = torch.zeros(1, dtype=torch.long, device=self.config["device"])
        return Interaction({**self.pairs(zero, zero), HISTORY_START: zero, HISTORY_END: zero})


def resized(tensor: Tensor, *shape: int) -> Tensor:
    """The tensor with zeros appended in every dimension up to a larger shape."""
    larger = tensor.new_zeros(shape)
    larger[tuple(slice(n) for n in tensor.shape)] = tensor
    return larger


def _sequence(value: object, separator: str) -> list:
    if isinstance(value, str):
        return [part for part in value.split(separator) if part]
    return list(value) if isinstance(value, Iterable) else []  # a missing value is a float
