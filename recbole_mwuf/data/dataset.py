"""RecBole's Dataset with a cold-start split and fast batches."""

from __future__ import annotations

import os
import shutil
from time import perf_counter
from typing import Any

import numpy as np
import torch
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.utils import FeatureType
from recbole.utils.argument_list import dataset_arguments

from recbole_mwuf.compat import older_libraries
from recbole_mwuf.data.history import InteractionHistory
from recbole_mwuf.data.split import PHASES, cold_start_split
from recbole_mwuf.errors import UserError

# the settings that the content of a loaded data set depends on: RecBole's list and what it lacks
_SETTINGS = (
    *dataset_arguments,
    *("dataset", "data_path", "device", "numerical_features", "discretization"),
    *("old_item_threshold", "phase_size", "validation_items", "score_validation", "timeline_cut"),
)
HISTORY_START = "history_start"
HISTORY_END = "history_end"


class ColdStartDataset(Dataset):
    """A RecBole Dataset whose interactions are split into old items and warm-up phases.

    RecBole loads, filters and remaps as always; then the split and the histories are computed
    from what is left and all features become tensors on ``config["device"]``.

    Attributes:
        split: :class:`~recbole_mwuf.data.split.ColdStartSplit`
        history: :class:`~recbole_mwuf.data.history.InteractionHistory`
        times: Time of every interaction, float64, shape ``[n_rows]``.

    Raises:
        UserError: if the files are missing, a needed field is not loaded, or N and K do not fit.
    """

    def __init__(self, config: Any):
        with older_libraries():
            super().__init__(config)

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

    def _fill_nan(self) -> None:
        """RecBole would give an interaction without a time the mean time: refuse it instead."""
        if self.time_field in self.inter_feat and self.inter_feat[self.time_field].isna().any():
            missing = int(self.inter_feat[self.time_field].isna().sum())
            raise UserError(
                f"TIME_FIELD={self.time_field} is empty in {missing} interactions; phases follow "
                "time, so fill or remove these rows"
            )
        # pandas 3: RecBole fills tokens and numbers in a copy
        for feat in (getattr(self, name) for name in self.feat_name_list):
            for field in feat:
                if self.field2type[field] == FeatureType.TOKEN:
                    feat[field] = feat[field].fillna(0)
                elif self.field2type[field] == FeatureType.FLOAT:
                    feat[field] = feat[field].fillna(feat[field].mean())
        super()._fill_nan()

    def _data_processing(self) -> None:
        super()._data_processing()
        self._check_field_loaded("TIME_FIELD", self.time_field, "phases follow time")
        self._check_field_loaded(
            "LABEL_FIELD", self.label_field, "give a 0/1 field, or threshold={'rating': 4}"
        )
        self._split()
        self._change_feat_format()
        self._drop_unused_col()
        self._to_device(self.config["device"])

    def _check_field_loaded(self, setting: str, field: str | None, hint: str) -> None:
        if field is None or field not in self.inter_feat:
            raise UserError(
                f"{setting}={field} is not among the loaded interaction fields "
                f"{list(self.inter_feat.columns)}: {hint}; see {setting} and load_col"
            )

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

    def _check_labels(self, labels: np.ndarray) -> None:
        values = np.unique(labels)
        if not np.isin(values, (0, 1)).all():
            raise UserError(
                f"LABEL_FIELD={self.label_field} holds {values[:5].tolist()}, but labels must be "
                "0 or 1; make them with threshold={'field': value}"
            )
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
        columns[HISTORY_START] = self._first.index_select(0, items)
        columns[HISTORY_END] = (
            self._position.index_select(0, rows)
            if phase is None
            else self._seen_after(phase).index_select(0, items)
        )
        return Interaction(columns)

    @property
    def is_old(self) -> np.ndarray:
        """Items that the base knows, bool, shape ``[n_items]``."""
        return self.split.is_old

    @property
    def history_users(self) -> np.ndarray:
        """What histories are ranges of, int64, shape ``[n_rows]``."""
        return self.history.users

    def ordered_rows(self, name: str, order: str = "data") -> np.ndarray:
        """Row numbers of one of the split's sets, in order of ``data``, ``time`` or ``user``."""
        rows = self._sets[name] if name in self._sets else self.split.rows(name)
        if order == "time":
            return rows[np.argsort(self.times[rows], kind="stable")]
        if order == "user":
            users = self.inter_feat[self.uid_field].cpu().numpy()
            return rows[np.argsort(users[rows], kind="stable")]
        return rows

    def subset(self, name: str, phase: str | None = None) -> ColdStartDataset:
        """One of the split's sets as a data set that RecBole's own loaders take.

        Args:
            name: One of :data:`~recbole_mwuf.data.split.SETS`, or ``validation``.
            phase: As in :meth:`batch`.
        """
        rows = torch.from_numpy(self.split.rows(name)).to(self.config["device"])
        return self.copy(self.batch(rows, phase))

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
