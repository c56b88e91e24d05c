"""The taste features of a data set's rows, computed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from recbole.utils import FeatureSource, FeatureType
from torch import Tensor

from recbole_mwuf.data.split import PHASES, SETS
from recbole_mwuf.data.taste import Taste
from recbole_mwuf.data.taste_fields import UNDIVIDED, possible_names
from recbole_mwuf.errors import UserError


@contextmanager
def hidden_names(config: Any) -> Iterator[None]:
    """While open, RecBole does not look for the taste features in the data set's files."""
    numerical, own = config["numerical_features"], possible_names(config)
    if missing := set(own).difference(numerical or ()):
        raise UserError(
            f"taste_fields={config['taste_fields']} needs {sorted(missing)} among the "
            "numerical_features, where recbole_mwuf.Config puts them; RecBole's Config does not"
        )
    if own:
        config["numerical_features"] = [name for name in numerical if name not in own]
    try:
        yield
    finally:
        config["numerical_features"] = numerical


class RowTaste:
    """Taste features of the rows of a split data set, for training and for scoring.

    Args:
        taste: Knows the users and items; has counted nothing yet.
        rows: User, item and label of every row, ``[n_rows]`` each.
        set_of_row: Index into :data:`~recbole_mwuf.data.split.SETS`, ``[n_rows]``.
        device: Where batches live.

    Attributes:
        after: What has been counted after each phase; one and the same unless ``taste_online``.
        training: The numbers of every row for training on it, ``[n_rows, n_numbers]``.
    """

    def __init__(
        self,
        taste: Taste,
        rows: tuple[np.ndarray, np.ndarray, np.ndarray],
        set_of_row: np.ndarray,
        device: torch.device,
    ):
        self._pairs, self._device = rows[:2], device
        self.names = taste.names
        is_old = set_of_row == SETS.index("old")
        taste.add(*(column[is_old] for column in rows))
        taste.pack()
        numbers = taste.standardise(taste.of(*self._pairs), is_old)
        self._scoring = (PHASES[0], self._tensor(numbers))
        self.after = dict.fromkeys(PHASES, taste)
        if taste.online:
            numbers = numbers.copy()
            for phase in PHASES[1:]:  # each knows what the one before knows
                taste = self.after[phase] = taste.copy()
                shown = set_of_row == SETS.index(phase)
                taste.add(*(column[shown] for column in rows))
                numbers[shown] = taste.of(*(column[shown] for column in self._pairs))
        self.training = self._tensor(numbers)

    @classmethod
    def of(cls, dataset: Any) -> RowTaste:
        """That of a split data set, which knows it as float fields of interactions from then on.

        Raises:
            UserError: if the settings name fields that cannot be, or the data have such a field.
        """
        taste = Taste(dataset.config, dataset, dataset.item_num)
        taste.set_old_items(dataset.is_old)
        for name in taste.names:
            if name in dataset.field2type:
                raise UserError(
                    f"taste_fields={taste.fields} adds a field '{name}', but the data have one of "
                    "that name; leave it out of load_col"
                )
            dataset.set_field_property(name, FeatureType.FLOAT, FeatureSource.INTERACTION, 1)
            dataset.field2bucketnum[name] = UNDIVIDED
        columns = (dataset.uid_field, dataset.iid_field, dataset.label_field)
        users, items, labels = (dataset.inter_feat[name].cpu().numpy() for name in columns)
        device = dataset.config["device"]
        return cls(taste, (users, items, labels), dataset.split.set_of_row, device)

    def _tensor(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(numbers).to(self._device)

    def columns(self, rows: Tensor, phase: str | None) -> dict[str, Tensor]:
        """The columns of a batch of rows ``[B]``.

        Args:
            rows: Row numbers.
            phase: None for training on them: what their own set shows is counted by then. Else
                what is counted after the phase.
        """
        numbers = self.training if phase is None else self._after(phase)
        return self.after[PHASES[0]].columns(numbers.index_select(0, rows))

    def _after(self, phase: str) -> Tensor:
        """Numbers of all rows after a phase, those of one phase at a time."""
        known, numbers = self._scoring
        if self.after[phase] is not self.after[known]:
            numbers = self._tensor(self.after[phase].of(*self._pairs))
            self._scoring = (phase, numbers)
        return numbers
