"""The taste features of a data set's rows, computed once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recbole_mwuf.data.split import PHASES, SETS
from recbole_mwuf.data.taste import Taste


class RowTaste:
    """Taste features of the rows of a split data set, for training and for scoring.

    Args:
        taste: Knows the users and items; has counted nothing yet.
        rows: User, item and label of every row, ``[n_rows]`` each.
        set_of_row: Index into :data:`~recbole_mwuf.data.split.SETS`, ``[n_rows]``.
        device: Where batches live.

    Attributes:
        after: What has been counted after each phase; one and the same unless ``taste_online``.
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
        training = set_of_row == SETS.index("old")
        taste.add(*(column[training] for column in rows))
        taste.pack()
        numbers = taste.standardise(taste.of(*self._pairs), training)
        self._scoring = (PHASES[0], self._tensor(numbers))
        self.after = dict.fromkeys(PHASES, taste)
        if taste.online:
            numbers = numbers.copy()
            for phase in PHASES[1:]:  # each knows what the one before knows
                taste = self.after[phase] = taste.copy()
                shown = set_of_row == SETS.index(phase)
                taste.add(*(column[shown] for column in rows))
                numbers[shown] = taste.of(*(column[shown] for column in self._pairs))
        self._training = self._tensor(numbers)

    def _tensor(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(numbers).to(self._device)

    def columns(self, rows: Tensor, phase: str | None) -> dict[str, Tensor]:
        """The columns of a batch of rows ``[B]``.

        Args:
            rows: Row numbers.
            phase: None for training on them: what their own set shows is counted by then. Else
                what is counted after the phase.
        """
        numbers = self._training if phase is None else self._after(phase)
        return self.after[PHASES[0]].columns(numbers.index_select(0, rows))

    def _after(self, phase: str) -> Tensor:
        """Numbers of all rows after a phase, those of one phase at a time."""
        known, numbers = self._scoring
        if self.after[phase] is not self.after[known]:
            numbers = self._tensor(self.after[phase].of(*self._pairs))
            self._scoring = (phase, numbers)
        return numbers
