"""Scores of pairs: what is expected, how sure that is, and scores that try what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_mwuf.data import Catalog, ItemState
from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.online.events import check_tokens, item_ids

EXPLORE = ("thompson", "ucb")


class Scored(NamedTuple):
    """Scores and how sure they are, float32, shape ``[n_pairs]``.

    Attributes:
        scores: Probabilities.
        variances: Of the logits; 0 for an old item.
    """

    scores: np.ndarray
    variances: np.ndarray


class Pairs:
    """Pairs of user and item in batches of ``eval_batch_size``, made anew in every pass.

    Args:
        catalog: Their users and items.
        users: User tokens, one for every pair; what is unknown becomes padding.
        items: Item tokens.
        state: What every item has shown.

    Attributes:
        items: int64, shape ``[n_pairs]``.
        ranges: The history of each.

    Raises:
        UserError: if an item is unknown or the lengths differ.
    """

    def __init__(self, catalog: Catalog, users: Iterable, items: Iterable, state: ItemState):
        self.catalog, device = catalog, catalog.config["device"]
        users = list(users)
        check_tokens(catalog.uid_field, users)
        user, item = catalog.ids(catalog.uid_field, users), item_ids(catalog, items)
        if len(user) != len(item):
            raise UserError(f"score: {len(user)} users but {len(item)} items; give pairs")
        self.ranges = state.ranges(item)
        columns = (user, item, self.ranges.start, self.ranges.end)
        self._columns = [torch.from_numpy(column).to(device) for column in columns]
        self.items = self._columns[1]

    def __iter__(self) -> Iterator[Interaction]:
        size = self.catalog.config["eval_batch_size"]
        parts = zip(*(column.split(size) for column in self._columns))
        for users, items, start, end in parts if len(self.items) else ():
            columns = {**self.catalog.pairs(users, items), **self.catalog.context(users, items)}
            yield Interaction({**columns, HISTORY_START: start, HISTORY_END: end})


class Scoring(NamedTuple):
    """How pairs are scored.

    Attributes:
        explore: None: as likely as a like is. ``thompson``: with parameters drawn from what is
            believed of each new item, once for all pairs. ``ucb``: c standard deviations of the
            logit above the expected one.
        c: For ``ucb``.
        seed: For ``thompson``; None: another draw every time.
    """

    explore: str | None = None
    c: float = 1.0
    seed: int | None = None

    def check(self, model: WarmUpMethod, uncertainty: bool) -> None:
        """Refuse what there is not.

        Raises:
            UserError: if there is no such way, or the model does not know how sure it is.
        """
        if self.explore is not None and self.explore not in EXPLORE:
            raise UserError(f"explore is '{self.explore}', but must be {' or '.join(EXPLORE)}")
        if not (np.isfinite(self.c) and self.c >= 0):
            raise UserError(f"c is {self.c}, but must be a number from 0 on")
        if (uncertainty or self.explore) and not model.knows_uncertainty:
            raise UserError(
                f"model={type(model).__name__} does not know how sure it is of a score, which "
                "uncertainty and explore need; KalmanWarmUp does"
            )

    def of(self, model: WarmUpMethod, pairs: Pairs, uncertainty: bool) -> np.ndarray | Scored:
        """The scores of pairs, with their variances if these are wanted."""
        if model.training:  # walking through all modules takes a while
            model.eval()
        scores = self._scores(model, pairs).numpy()
        if not uncertainty:
            return scores
        variances = _joined([model.uncertainty(batch)[1] for batch in pairs])
        return Scored(scores, variances.numpy())

    def _scores(self, model: WarmUpMethod, pairs: Pairs) -> Tensor:
        if self.explore == "thompson":
            return self._thompson(model, pairs)
        if self.explore == "ucb":
            return _joined([self._ucb(model, batch) for batch in pairs])
        return _joined([model.predict(batch) for batch in pairs])

    def _thompson(self, model: WarmUpMethod, pairs: Pairs) -> Tensor:
        known = pairs.items.unique()
        generator = torch.Generator()
        if self.seed is None:
            generator.seed()
        else:
            generator.manual_seed(self.seed)
        drawn = model.draw(known, generator)
        parts = []
        for batch in pairs:
            items = batch[model.ITEM_ID]
            new = drawn.chosen(torch.searchsorted(known, items))
            ids = ItemIDs.where(model.is_old[items], model.table.rows(items), new)
            parts.append(model.table.scores(batch, ids))
        return _joined(parts)

    def _ucb(self, model: WarmUpMethod, batch: Interaction) -> Tensor:
        logits, variance = model.uncertainty(batch)
        hoped = torch.sigmoid(logits + self.c * variance.sqrt())
        return torch.where(model.is_old[batch[model.ITEM_ID]], model.predict(batch), hoped)


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts).cpu() if parts else torch.zeros(0)
