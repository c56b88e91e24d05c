"""RecBole's Dataset with a cold-start split and fast batches."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.utils.argument_list import dataset_arguments

from recbole_mwuf.data.atomic_dataset import AtomicDataset
from recbole_mwuf.data.fingerprint import fingerprint
from recbole_mwuf.data.history import InteractionHistory
from recbole_mwuf.data.row_taste import RowTaste, hidden_names
from recbole_mwuf.data.split import PHASES, VALIDATION, WARM_SETS, cold_start_split
from recbole_mwuf.data.taste_fields import TASTE_SETTINGS
from recbole_mwuf.errors import UserError

# the settings that the content of a loaded data set depends on: RecBole's list and what it lacks
_SETTINGS = (
    *dataset_arguments,
    *("dataset", "data_path", "data_files", "device", "numerical_features", "discretization"),
    *("encoding", "max_seq_length"),
    *("old_item_threshold", "phase_size", "validation_items", "score_validation", "timeline_cut"),
    *TASTE_SETTINGS,
)
HISTORY_START = "history_start"
HISTORY_END = "history_end"


class ColdStartDataset(AtomicDataset):
    """A RecBole Dataset whose interactions are split into old items and warm-up phases.

    RecBole loads, filters and remaps as always; then the split and the histories are computed
    from what is left and all features become tensors on ``config["device"]``.

    Attributes:
        split: :class:`~recbole_mwuf.data.split.ColdStartSplit`
        history: :class:`~recbole_mwuf.data.history.InteractionHistory`
        times: Time of every interaction, float64, shape ``[n_rows]``.
        taste: :class:`~recbole_mwuf.data.row_taste.RowTaste`; None without ``taste_fields``.
        part: The set that :meth:`subset` or :meth:`build` made of it; None if it is the whole.

    Raises:
        UserError: if the files are missing, a needed field is not loaded, or N and K do not fit.
    """

    def __init__(self, config: Any):
        self.part: str | None = None
        self.phase: str | None = None
        self._window: torch.Tensor | None = None
        with hidden_names(config):
            super().__init__(config)
        self.taste = RowTaste.of(self) if config["taste_fields"] else None

    def fits(self, config: Any) -> bool:
        """Whether loading with these settings would give the same data set."""
        return all(self.config[name] == config[name] for name in _SETTINGS)

    def _load_data(self, token: str, dataset_path: str) -> None:
        if not os.path.isfile(os.path.join(dataset_path, f"{token}.inter")):
            self._download()
        super()._load_data(token, dataset_path)

    def _download(self) -> None:
        """RecBole's download; if that fails, name the converter and leave nothing behind."""
        existed = os.path.exists(self.dataset_path)
        inter_file = os.path.join(self.dataset_path, f"{self.dataset_name}.inter")
        try:
            super()._download()
        # no network, an unknown name, or RecBole's barrier, which fails in a single process
        except (Exception, SystemExit) as error:
            if os.path.isfile(inter_file):
                return
            if not existed:
                shutil.rmtree(self.dataset_path, ignore_errors=True)
            raise UserError(
                f"dataset={self.dataset_name}: there is no {inter_file}, and RecBole's download "
                f"failed ({type(error).__name__}: {error}). Convert the published files, e.g. "
                "python -m dataset_converters movielens --input ml-1m.zip --output dataset/ml-1m, "
                "or set data_path to the folder that holds the data set's folder."
            ) from error

    def _data_processing(self) -> None:
        super()._data_processing()
        self._split()
        self._change_feat_format()
        self._drop_unused_col()
        self._to_device(self.config["device"])

    def _split(self) -> None:
        inter = self.inter_feat
        labels = inter[self.label_field].to_numpy(dtype=np.float32)
        # float64, before RecBole makes float32 of it: 32 bits cannot tell seconds apart
        self.times = inter[self.time_field].to_numpy(dtype=np.float64)
        self.split = cold_start_split(
            inter[self.iid_field].to_numpy(),
            self.times,
            self.config["old_item_threshold"],
            self.config["phase_size"],
            self.item_num,
            self.config["validation_items"],
            self.config["score_validation"],
            self.config["timeline_cut"],
        )
        self._check_labels(labels[self.split.rows("old")])
        self.history = InteractionHistory(self.split, inter[self.uid_field].to_numpy(), labels)

    def positive_shares(self) -> dict:
        """The share of positives in every set of the split."""
        return self.split.positive_shares(self.inter_feat[self.label_field].cpu().numpy())

    def _check_labels(self, labels: np.ndarray) -> None:
        values = np.unique(labels)
        if len(values) < 2:
            raise UserError(
                f"all {len(labels)} interactions of old items have {self.label_field}="
                f"{values[0]:g}: there is nothing to learn; check "
                f"threshold={self.config['threshold']}"
            )

    def _to_device(self, device: torch.device) -> None:
        for name in self.feat_name_list:
            setattr(self, name, getattr(self, name).to(device))
        history = self.history
        self._first = torch.from_numpy(history.first).to(device)
        self._position = torch.from_numpy(history.position).to(device)
        self._seen = {p: torch.from_numpy(history.seen(p)).to(device) for p in PHASES}
        self._sets: dict[str, np.ndarray] = {}

    def _seen_after(self, phase: str) -> torch.Tensor:
        if phase not in self._seen:  # a moment of the clock
            self._seen[phase] = torch.from_numpy(self.history.seen(phase)).to(self._first.device)
        return self._seen[phase]

    def add_set(self, name: str, rows: np.ndarray) -> None:
        """Give some rows a name that stands beside the split's sets."""
        self._sets[name] = rows

    def batch(self, rows: torch.Tensor, phase: str | None = None) -> Interaction:
        """Interactions with user and item features and the range of their item's history.

        Args:
            rows: Row numbers, int64, shape ``[B]``.
            phase: What is known of the item. ``None``: its strictly earlier rows, for training
                on these rows. A phase: what was consumed by then, for scoring after it.

        Returns:
            Interaction: every loaded field, ``history_start`` and ``history_end``, shape ``[B]``.
        """
        columns = select(self.inter_feat, rows)
        users, items = columns[self.uid_field], columns[self.iid_field]
        if self.user_feat is not None:
            columns.update(select(self.user_feat, users))
        if self.item_feat is not None:
            columns.update(select(self.item_feat, items))
        columns.update(self._known(rows, items, phase))
        return Interaction(columns)

    def _known(
        self, rows: torch.Tensor, items: torch.Tensor, phase: str | None
    ) -> dict[str, torch.Tensor]:
        """Where the history of each row's item begins and ends, as :meth:`batch` says; taste."""
        end = (
            self._position.index_select(0, rows)
            if phase is None
            else self._seen_after(phase).index_select(0, items)
        )
        taste = {} if self.taste is None else self.taste.columns(rows, phase)
        return {HISTORY_START: self._first.index_select(0, items), HISTORY_END: end, **taste}

    def context(self, users: torch.Tensor, items: torch.Tensor) -> dict[str, torch.Tensor]:
        """What a model reads of pairs ``[B]``, not of user or item: taste features, if it does."""
        if self.taste is None:
            return {}
        return self.taste.after[self.phase or PHASES[-1]].columns_of(users, items)

    def summary(self) -> str:
        """Name and size in words; RecBole counts the padding ID among users and items."""
        users, items, rows = self.user_num - 1, self.item_num - 1, len(self.inter_feat)
        return f"{self.dataset_name}, {users:,} users, {items:,} items, {rows:,} interactions"

    @property
    def is_old(self) -> np.ndarray:
        """Items that the base knows, bool, shape ``[n_items]``."""
        return self.split.is_old

    @property
    def history_users(self) -> np.ndarray:
        """What histories are ranges of, int64, shape ``[n_rows]``."""
        return self.history.users

    @property
    def fingerprint(self) -> dict[str, str]:
        """What the data hold, in parts; see :mod:`recbole_mwuf.data.fingerprint`."""
        return fingerprint(self)

    def ordered_rows(self, name: str, order: str = "data") -> np.ndarray:
        """Row numbers of a set, in order of ``data``, ``time``, ``user`` or ``item``."""
        rows = self._sets[name] if name in self._sets else self.split.rows(name)
        if order == "time":
            return rows[np.argsort(self.times[rows], kind="stable")]
        if order == "user":
            users = self.inter_feat[self.uid_field].cpu().numpy()
            return rows[np.argsort(users[rows], kind="stable")]
        if order == "item":
            return rows[np.argsort(self.items_of(rows), kind="stable")]
        return rows

    def items_of(self, rows: np.ndarray) -> np.ndarray:
        """The items of some rows, int64."""
        return self.inter_feat[self.iid_field].cpu().numpy()[rows]

    # what RecBole's own loaders, evaluation and case study ask of a data set

    def build(self) -> list[ColdStartDataset]:
        """The sets of a run, for RecBole's ``data_preparation``: to train on, to validate, to test.

        Returns:
            list: the old items' interactions; those of the held-out items, or the warm-up sets if
            no items are held out; the test set after the last phase. The first one is a window on
            the whole data set, which a model and its trainer are built for.
        """
        old = self.copy(self.inter_feat)
        old.part, old._window = "old", self._rows("old")
        held_out = self.split.is_validation.any() and not self.config["score_validation"]
        valid = self.subset(VALIDATION, PHASES[0]) if held_out else self.subset(WARM_SETS)
        return [old, valid, self.subset("test", PHASES[-1])]

    def subset(self, names: str | Sequence[str], phase: str | None = None) -> ColdStartDataset:
        """Some of the split's sets as a data set that RecBole's own loaders take.

        Args:
            names: One or some of :data:`~recbole_mwuf.data.split.SETS`, or ``validation``.
            phase: As in :meth:`batch`.
        """
        names = [names] if isinstance(names, str) else names
        rows = torch.cat([self._rows(name) for name in names])
        columns = select(self.inter_feat, rows)
        columns.update(self._known(rows, columns[self.iid_field], phase))
        part = self.copy(Interaction(columns).to("cpu"))  # RecBole sorts and counts in numpy
        part.part, part.phase, part._window = "+".join(names), phase, None
        return part

    def _rows(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.split.rows(name)).to(self.config["device"])

    def __len__(self) -> int:
        return super().__len__() if self._window is None else len(self._window)

    def __getitem__(self, index: Any, join: bool = True) -> Interaction:
        """Rows by number, as RecBole's loaders ask for them, with their item's history."""
        if HISTORY_START in self.inter_feat:
            return super().__getitem__(index, join)
        rows = torch.arange(len(self)) if self._window is None else self._window
        return self.batch(rows[index].reshape(-1).to(self.config["device"]))

    def get_item_feature(self) -> Interaction:
        """The features of every item and what it has shown by the end of the set's phase."""
        items = torch.arange(self.item_num, device=self.config["device"])
        features = {} if self.item_feat is None else self.item_feat.interaction
        shown = {HISTORY_START: self._first, HISTORY_END: self._seen[self.phase or PHASES[-1]]}
        return Interaction({self.iid_field: items, **features, **shown})

    def example(self) -> Interaction:
        """The first row, for a model that looks at one."""
        return self.batch(torch.zeros(1, dtype=torch.long, device=self.config["device"]))


def load_unless_kept(config: Any, kept: list[ColdStartDataset]) -> float:
    """Let the data set of the last run serve the next one, if it fits.

    Args:
        config: The next run's settings.
        kept: The data set of the last run, or nothing; afterwards the one to use.

    Returns:
        float: the seconds that loading took; 0 if the one that was kept serves.
    """
    if kept and kept[0].fits(config):
        return 0.0
    start = perf_counter()
    kept.clear()  # first, or two are in memory
    kept.append(ColdStartDataset(config))
    return perf_counter() - start


def select(feat: Interaction, index: torch.Tensor) -> dict[str, torch.Tensor]:
    """Rows of an Interaction, column by column."""
    # Interaction.__getitem__ goes through a Python list: 13 times slower
    return {name: column.index_select(0, index) for name, column in feat.interaction.items()}
