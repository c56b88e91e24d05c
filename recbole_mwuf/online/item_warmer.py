"""Warm-up as a service to call: items come, interactions come, scores and embeddings go out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from logging import getLogger
from pathlib import Path
from threading import RLock

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recbole_mwuf.data import Catalog, ItemState
from recbole_mwuf.data.atomic_dataset import PADDING
from recbole_mwuf.data.item_state import Ranges
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.online.events import (
    Events,
    EventSet,
    EventWindow,
    check_columns,
    check_tokens,
    item_ids,
    read_events,
)
from recbole_mwuf.online.locking import alone
from recbole_mwuf.online.outcomes import Added, Observed
from recbole_mwuf.online.rebuild import rebuild
from recbole_mwuf.online.scoring import Pairs, Scored, Scoring
from recbole_mwuf.online.undo import all_or_nothing
from recbole_mwuf.parallel import Shard, use_threads
from recbole_mwuf.trainer import checkpoint
from recbole_mwuf.trainer.loop import WarmUpLoop

_SPARE = 8  # one row in so many is added on top: adding items one by one copies tables rarely


class ItemWarmer:
    """Warms up new items in production with a model that was trained before.

    The base is never moved: old items keep their scores bit for bit. Threads may share one: a call
    waits for that of another thread. An observation that fails or is interrupted changes nothing.
    Memory grows with the items, not with the interactions; of the event IDs the last
    ``event_window`` are known.

    ``ItemWarmer.load("saved/MWUF-DIN-ml-1m-....pth")`` is the way to make one.

    Args:
        catalog: Users, items and features.
        loop: Has the model and lets it learn.
        items: What every item has shown so far.
        events: Fingerprints of the latest events, oldest first.

    Attributes:
        lock: Is held while the model computes; for whoever uses ``model`` directly.
    """

    def __init__(self, catalog: Catalog, loop: WarmUpLoop, items: ItemState, events: Iterable[int]):
        self.lock = RLock()
        self.catalog, self.loop, self.items = catalog, loop, items
        self.config, self.model = loop.config, loop.model
        self.events = EventWindow(self.config["event_window"], events)
        self.logger = getLogger()

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> ItemWarmer:
        """Go on from a run's checkpoint or from what :meth:`save` wrote.

        Torch uses as many threads as the run did (``torch_threads``), in the whole process.

        Raises:
            UserError: if the file is missing, broken, of another version, not a warm-up model's,
                or does not fit the base that it names.
        """
        content = checkpoint.read(path)
        checkpoint.check(content, "warm_up", f"'{path}'")
        catalog, loop = rebuild(content, path, device)
        use_threads(loop.config)
        items = ItemState.from_tensors(content["items"])
        return cls(catalog, loop, items, content["events"].tolist())

    @alone
    def save(self, path: str | Path) -> None:
        """Write everything to one file, which appears when it is whole.

        What was observed after the last save is lost in a crash, nothing else.
        """
        content = self.catalog.content()
        checkpoint.save_warm_up(
            *(path, self.config, self.loop, self.catalog, content, self.items), self.events.known
        )

    @alone
    def add_items(self, features: pd.DataFrame) -> Added:
        """Make items known, so that they can be observed and scored.

        Args:
            features: The item's token and raw feature values, in columns named as in the data set.
                A value that training has not seen counts as unknown.

        Raises:
            UserError: if a column is missing; nothing has been added then.
        """
        field = self.catalog.iid_field
        check_columns("items", features, [field])
        check_tokens(f"items: {field}", features[field])
        features = features.assign(**{field: features[field].map(str)})
        new = features[self.catalog.ids(field, features[field]) == 0].drop_duplicates(field)
        if (new[field] == PADDING).any():
            raise UserError(f"items: no {field} may be called {PADDING}, as RecBole's padding")
        columns, unknown = self.catalog.encode(new)
        if not new.empty:
            self._make_room(self.catalog.n_known_items() + len(new))
            ids = self.catalog.add_items(new[field].tolist(), columns)
            try:
                self.model.add_items(self._tensor(ids))
            except BaseException:  # Ctrl-C as well: no item may be known that has not started
                self.catalog.take_back(len(ids))
                raise
        return Added(len(new), len(features) - len(new), unknown)

    def _make_room(self, n_items: int) -> None:
        if n_items <= self.catalog.item_num:
            return
        n_items += n_items // _SPARE
        for part in (self.catalog, self.items, self.loop):
            part.grow(n_items)

    @alone
    def observe(self, interactions: pd.DataFrame, networks: bool = False) -> Observed:
        """Learn from interactions with new items, as in steps 4 to 6 of training.

        U(v) grows by all of them; then they are learned from in batches of ``train_batch_size``.

        Args:
            interactions: Raw values of user, item, label (0 or 1) and time in columns named as in
                the data set, in any order. With a column ``event_id`` the same event counts once.
            networks: Whether the method's networks learn as well, as they do in training; else
                only the items' ID parameters do.

        Raises:
            UserError: if something does not fit; nothing has been learned then.
        """
        given = read_events(self.catalog, interactions)
        is_new, unknown, old = self._sort_out(given)
        events = given.chosen(is_new & ~unknown & ~old)
        back = int((events.times < self.items.last_time[events.items]).sum())
        if back:
            self.logger.warning(
                f"{back} interactions are earlier than others of the same item that were observed "
                "before; they are appended all the same"
            )
        with all_or_nothing(self.loop, self.items, self.catalog, np.unique(events.items)):
            if len(events):
                self._learn(events, networks)
            if given.fingerprints is not None:
                self.events.add(given.fingerprints[is_new])
        return Observed(
            learned=len(events),
            repeated=int((~is_new).sum()),
            unknown_users=int((is_new & unknown).sum()),
            old_items=int((is_new & ~unknown & old).sum()),
            back_in_time=back,
        )

    def _sort_out(self, events: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which events come for the first time, have an unknown user, an old item; bool ``[B]``."""
        is_new = np.ones(len(events), dtype=bool)
        if events.fingerprints is not None:
            is_new = self.events.first_time(events.fingerprints)
        return is_new, events.users == 0, self._is_old(events.items)

    def _learn(self, events: Events, networks: bool) -> None:
        model, items = self.model, self.items
        counted = events.labels > 0 if model.positive_users_only else slice(None)
        users = self._tensor(events.users[counted])
        items.count(events.items[counted], model.table.users()[users])
        touched = np.unique(events.items)
        mean = torch.from_numpy(items.mean_users[touched]).to(self.config["device"])
        with torch.no_grad():
            model.note(self._tensor(touched), mean)
        self.catalog.show(events.users, events.items, events.labels)
        ranges = items.extend(events.items, events.users, events.times)
        self._show_histories(ranges)
        stream = EventSet(self.catalog, events, ranges)
        loader = model.warm_up_loader(self.config, stream, "online", Shard())
        show_progress = self.config["show_progress"]
        self.loop.learn(loader, Stage.ONLINE, "Online", show_progress, networks)

    def _show_histories(self, ranges: Ranges) -> None:
        if self.model.table.history_length:
            self.model.table.show_histories(self._tensor(ranges.users))

    @alone
    @torch.no_grad()
    def score(
        self,
        users: Iterable,
        items: Iterable,
        uncertainty: bool = False,
        explore: str | None = None,
        c: float = 1.0,
        seed: int | None = None,
    ) -> np.ndarray | Scored:
        """Probabilities that users like items; arguments that follow need KalmanWarmUp.

        Args:
            users: User tokens, one for every pair; a user that is unknown is scored as padding.
            items: Item tokens, old and new.
            uncertainty: Whether to return the variances of the logits as well.
            explore: ``thompson`` or ``ucb``, with ``c`` and ``seed``, as
                :class:`~recbole_mwuf.online.scoring.Scoring` explains.

        Returns:
            np.ndarray | Scored: float32, shape ``[n_pairs]``; with ``uncertainty`` two of them.

        Raises:
            UserError: if an item is unknown, the lengths differ, or the model has no uncertainty.
        """
        scoring = Scoring(explore, c, seed)
        scoring.check(self.model, uncertainty)
        pairs = Pairs(self.catalog, users, items, self.items)
        self._show_histories(pairs.ranges)
        return scoring.of(self.model, pairs, uncertainty)

    @alone
    @torch.no_grad()
    def item_embeddings(self, items: Iterable, kind: str = "warm") -> np.ndarray:
        """ID embeddings of items.

        Args:
            items: Item tokens.
            kind: ``warm``: what they are scored with; ``cold``: what the warm one is made from.
                An old item has one embedding, the base's.

        Returns:
            np.ndarray: float32, shape ``[n_items, k]``.

        Raises:
            UserError: if an item is unknown or there is no such kind.
        """
        if kind not in ("warm", "cold"):
            raise UserError(f"kind is '{kind}', but must be warm or cold")
        ids = self._tensor(item_ids(self.catalog, items))
        own = self.model.table.rows(ids)
        new = self.model.warm(ids) if kind == "warm" else self.model.new_ids(ids)
        return ItemIDs.where(self.model.is_old[ids], own, new).embedding.cpu().numpy()

    @alone
    def new_items(self) -> list[str]:
        """Tokens of all items that are not old."""
        known = np.arange(1, self.catalog.n_known_items())
        return self._tokens(known[~self._is_old(known)])

    @alone
    def known_items(self) -> list[str]:
        """Tokens of all items, old and new."""
        return self._tokens(np.arange(1, self.catalog.n_known_items()))

    @alone
    def promote(self, items: Sequence | None = None) -> list[str]:
        """Hand items over to the base: they are old from now on, and learn no more.

        Args:
            items: Item tokens; default: every new item with more than N samples, N being the
                ``old_item_threshold`` of training.

        Returns:
            list: Tokens of the items handed over; their scores stay as they are.

        Raises:
            UserError: if an item is unknown.
        """
        if items is None:
            enough = np.flatnonzero(self.items.seen > self.config["old_item_threshold"])
        else:
            enough = np.unique(item_ids(self.catalog, items))
        ready = enough[~self._is_old(enough)]
        self.model.promote(self._tensor(ready))
        return self._tokens(ready)

    def _tokens(self, items: np.ndarray) -> list[str]:
        tokens = self.catalog.field2id_token[self.catalog.iid_field]
        return [tokens[i] for i in items]

    def _is_old(self, items: np.ndarray) -> np.ndarray:
        return self.model.is_old[self._tensor(items)].cpu().numpy()

    def _tensor(self, ids: np.ndarray) -> Tensor:
        return torch.from_numpy(ids).to(self.config["device"])
