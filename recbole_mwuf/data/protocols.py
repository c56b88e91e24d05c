"""What loaders and models ask of their data: the data set of a run, or what stands in for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from recbole.data.interaction import Interaction
from recbole.utils import FeatureSource, FeatureType
from torch import Tensor


class Batches(Protocol):
    """Interactions in named sets, from which batches are made.

    Attributes:
        config: Uses ``device``.
        times: Time of every row, float64.
    """

    config: Any
    times: np.ndarray

    def ordered_rows(self, name: str, order: str) -> np.ndarray:
        """Row numbers of a set, int64, in order of ``data``, ``time``, ``user`` or ``item``."""

    def items_of(self, rows: np.ndarray) -> np.ndarray:
        """The items of some rows, int64."""

    def batch(self, rows: Tensor, phase: str | None = None) -> Interaction:
        """Interactions as a model reads them; rows int64 ``[B]``."""


class Loader(Protocol):
    """Batches of samples, the same ones in every pass."""

    @property
    def sample_size(self) -> int:
        """Samples in a pass."""

    def __len__(self) -> int:
        """Batches in a pass."""

    def __iter__(self) -> Iterator[Interaction]:
        """The batches of a pass."""


class Fields(Protocol):
    """Users, items and features that a model is built for.

    Attributes:
        config: The settings.
        user_feat: Features of every user as columns ``[n_users, ...]``; None without features.
        item_feat: Features of every item as columns ``[n_items, ...]``; None without features.
        field2id_token: The tokens of every field by ID.
        is_old: bool, shape ``[n_items]``; items that the base knows.
        history_users: int64; what the histories of item-side bases are ranges of.
    """

    config: Any
    uid_field: str
    iid_field: str
    label_field: str
    user_num: int
    item_num: int
    user_feat: Interaction | None
    item_feat: Interaction | None
    field2id_token: dict[str, Any]
    is_old: np.ndarray
    history_users: np.ndarray

    def fields(
        self,
        ftype: Sequence[FeatureType] | None = None,
        source: Sequence[FeatureSource] | None = None,
    ) -> list[str]:
        """Names of fields of some types and sources."""

    def num(self, field: str) -> int:
        """How many IDs a field has."""

    def context(self, users: Tensor, items: Tensor) -> dict[str, Tensor]:
        """What a model reads of pairs ``[B]``, not of user or item: taste features, if it does."""

    def example(self) -> Interaction:
        """One row, for a model that looks at one."""
