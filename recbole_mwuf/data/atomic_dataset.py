"""RecBole's Dataset, which loads and filters nothing silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from recbole.data.dataset import Dataset
from recbole.utils import FeatureSource, FeatureType

from recbole_mwuf.compat import older_libraries
from recbole_mwuf.data.atomic_files import NUMBERS, AtomicFile
from recbole_mwuf.errors import UserError

_TOKENS = (FeatureType.TOKEN, FeatureType.TOKEN_SEQ)
_SEQUENCES = (FeatureType.TOKEN_SEQ, FeatureType.FLOAT_SEQ)
# settings that name fields, and of what types these must be
_NAMES_FIELDS = {
    "USER_ID_FIELD": (FeatureType.TOKEN,),
    "ITEM_ID_FIELD": (FeatureType.TOKEN,),
    "TIME_FIELD": (FeatureType.FLOAT,),
    "LABEL_FIELD": (FeatureType.FLOAT,),
    "threshold": (FeatureType.FLOAT,),
    "numerical_features": NUMBERS,
    "discretization": NUMBERS,
    "normalize_field": NUMBERS,
    "val_interval": (FeatureType.TOKEN, FeatureType.FLOAT),
    "seq_len": _SEQUENCES,
    "preload_weight": (FeatureType.TOKEN,),
    "alias_of_user_id": _TOKENS,
    "alias_of_item_id": _TOKENS,
}
_ID_SETTINGS = {
    FeatureSource.INTERACTION: ("USER_ID_FIELD", "ITEM_ID_FIELD"),
    FeatureSource.USER: ("USER_ID_FIELD",),
    FeatureSource.ITEM: ("ITEM_ID_FIELD",),
}
_OF_INTERACTIONS = ("TIME_FIELD", "LABEL_FIELD", "threshold")
_HINTS = {
    "TIME_FIELD": "phases follow time; see TIME_FIELD and load_col",
    "LABEL_FIELD": "give a 0/1 field, or threshold={'rating': 4}; see load_col",
}
PADDING = "[PAD]"  # RecBole's name of ID 0


class AtomicDataset(Dataset):
    """A RecBole Dataset that refuses what cannot be meant and tells what it leaves out.

    Attributes:
        left_out: Interactions that RecBole's filters drop, by reason.

    Raises:
        UserError: naming the file and the line, or the setting, and the way out.
    """

    def __init__(self, config: Any):
        self.left_out: dict[str, int] = {}
        self._files: dict[str, AtomicFile] = {}
        with older_libraries():
            super().__init__(config)

    def _load_data(self, token: str, dataset_path: str) -> None:
        for suffix in self.config["load_col"] or ():
            if not Path(dataset_path, f"{token}.{suffix}").is_file():
                raise UserError(
                    f"load_col names columns of {token}.{suffix}, but there is no such file in "
                    f"'{dataset_path}'"
                )
        super()._load_data(token, dataset_path)
        for setting, kinds in _NAMES_FIELDS.items():
            self._check_fields_of(setting, kinds)
        for field, values in (self.config["val_interval"] or {}).items():
            kind = self.field2type[field]
            if (kind is FeatureType.FLOAT) != isinstance(values, str):
                raise UserError(
                    f"val_interval={{'{field}': {values!r}}} does not fit a field of type "
                    f"{kind.value}; numbers take an interval such as '[1,5]', tokens a list"
                )
        self._tell_unread_numbers()

    def _check_fields_of(self, setting: str, kinds: tuple[FeatureType, ...]) -> None:
        """Refuse a setting that names a field of another type, or one that is not loaded."""
        in_inter, given = setting in _OF_INTERACTIONS, self.config[setting]
        loaded = list(self.inter_feat.columns) if in_inter else list(self.field2type)
        for field in [given] if isinstance(given, str) else given or ():
            if field not in loaded and setting == "LABEL_FIELD" and self.config["threshold"]:
                continue  # the threshold makes it
            if field not in loaded:
                raise UserError(
                    f"{setting}={field} is not among the loaded {'interaction ' * in_inter}fields "
                    f"{loaded}; {_HINTS.get(setting, 'see load_col')}"
                )
            if self.field2type[field] not in kinds:
                raise UserError(
                    f"{setting}={field} is a field of type {self.field2type[field].value}, but "
                    "must be a " + " or a ".join(kind.value for kind in kinds)
                )

    def _tell_unread_numbers(self) -> None:
        """Warn of columns that cost memory and that no model reads."""
        config = self.config
        read = {self.time_field, self.label_field, *(config["preload_weight"] or {}).values()}
        for setting in ("threshold", "numerical_features", "val_interval"):
            read.update(config[setting] or ())
        for columns in (config["unused_col"] or {}).values():
            read.update(columns)
        unread = [name for name in self.float_like_fields if name not in read]
        if unread:
            self.logger.warning(
                f"No model reads the numbers {unread}: name them in numerical_features, or leave "
                "them out of load_col"
            )

    def _load_feat(self, filepath: str, source: FeatureSource | str) -> pd.DataFrame | None:
        """RecBole's, on a file that has been checked; sequences are bounded."""
        config = self.config
        suffix = source.value if isinstance(source, FeatureSource) else source
        separators = (config["field_separator"], config["seq_separator"])
        file = self._files[suffix] = AtomicFile(Path(filepath), *separators, config["encoding"])
        fields = file.check()
        for name in (config["load_col"] or {}).get(suffix, ()):
            if name not in fields and name != "*":
                raise UserError(
                    f"load_col names the column '{name}', but '{filepath}' has {list(fields)}"
                )
        known = set(self.field2type) - {self.uid_field, self.iid_field}
        try:
            feat = super()._load_feat(filepath, source)
        except ValueError as error:
            raise file.explain(error, fields) from error
        if feat is None:
            return None
        for setting in _ID_SETTINGS.get(source, ()):
            if config[setting] not in feat:
                raise UserError(
                    f"{setting}={config[setting]} is not among the columns {list(feat)} that are "
                    f"loaded of '{filepath}'; see load_col"
                )
        if twice := sorted(known.intersection(feat)):
            raise UserError(
                f"'{filepath}' has the column {twice[0]}, as another file of the data set has: "
                "give one of them another name, or leave it out of load_col"
            )
        self._bound_sequences(feat, file)
        self._tell_repeated_ids(feat, source, file)
        return feat

    def _bound_sequences(self, feat: pd.DataFrame, file: AtomicFile) -> None:
        """Cut sequences after ``max_seq_length`` values: every row gets the room of the longest."""
        most = self.config["max_seq_length"]
        for field in feat:
            longest = self.field2seqlen[field]
            if self.field2type[field] not in _SEQUENCES or longest <= most:
                continue
            if field in (self.config["seq_len"] or ()):
                continue
            n_longer = sum(len(values) > most for values in feat[field])
            self.logger.warning(
                f"'{file.path}': {field} has up to {longest} values in a row; {n_longer} rows are "
                f"cut after max_seq_length={most} (seq_len={{'{field}': ...}} is for one field)"
            )
            feat[field] = [values[:most] for values in feat[field]]
            self.field2seqlen[field] = most

    def _tell_repeated_ids(
        self, feat: pd.DataFrame, source: FeatureSource | str, file: AtomicFile
    ) -> None:
        """RecBole keeps the first row of a user or an item."""
        field = {FeatureSource.USER: self.uid_field, FeatureSource.ITEM: self.iid_field}.get(source)
        if field in feat:
            repeated = int(feat[field].dropna().duplicated().sum())
            if repeated:
                self.logger.warning(
                    f"'{file.path}': {repeated} rows name a {field} again; its first row counts"
                )

    # filtering

    @contextmanager
    def _counting(self, reason: str) -> Iterator[None]:
        before = len(self.inter_feat)
        yield
        if dropped := before - len(self.inter_feat):
            self.left_out[reason] = dropped

    def _filter_nan_user_or_item(self) -> None:
        with self._counting("without a user or an item"):
            super()._filter_nan_user_or_item()

    def _remove_duplication(self) -> None:
        with self._counting("by rm_dup_inter"):
            super()._remove_duplication()

    def _filter_by_field_value(self) -> None:
        with self._counting("by val_interval"):
            super()._filter_by_field_value()

    def _filter_inter_by_user_or_item(self) -> None:
        reason = "whose user or item has no row of features (filter_inter_by_user_or_item)"
        with self._counting(reason):
            super()._filter_inter_by_user_or_item()

    def _filter_by_inter_num(self) -> None:
        with self._counting("by user_inter_num_interval or item_inter_num_interval"):
            super()._filter_by_inter_num()

    def _reset_index(self) -> None:
        """What is left after filtering is what must be right; rows still have their numbers."""
        total = sum(self.left_out.values())
        parts = ", ".join(f"{n} {reason}" for reason, n in self.left_out.items())
        left = len(self.inter_feat)
        told = f"dataset={self.dataset_name}: {total} of {total + left} interactions are left out"
        if not left:
            raise UserError(f"{told}: {parts}")
        if total:
            self.logger.warning(f"{told}: {parts}")
        for name, file in self._files.items():
            feat = getattr(self, f"{name}_feat", None)
            if feat is not None:
                self._check_numbers(feat, file)
        self._check_meant(self._files["inter"])
        super()._reset_index()

    def _check_numbers(self, feat: pd.DataFrame, file: AtomicFile) -> None:
        """Refuse infinite numbers, and sequences with numbers that are missing."""
        for field in feat:
            if self.field2type[field] is FeatureType.FLOAT:
                bad = np.isinf(feat[field].to_numpy())
            elif self.field2type[field] is FeatureType.FLOAT_SEQ:
                bad = np.array([not np.isfinite(values).all() for values in feat[field]])
            else:
                continue
            _refuse(bad, feat, field, file, "but must be finite")

    def _check_meant(self, file: AtomicFile) -> None:
        """Refuse interactions without time or label: RecBole would give them the mean of all."""
        inter, threshold = self.inter_feat, self.config["threshold"]
        time = inter[self.time_field].isna().to_numpy()
        if time.any():
            raise file.refuse_row(
                int(inter.index[time][0]),
                f"TIME_FIELD={self.time_field} is empty in {time.sum()} interactions, here for the "
                "first time; phases follow time, so fill or remove these rows",
            )
        for field in threshold or [self.label_field]:
            empty = inter[field].isna().to_numpy()
            way_out = "but there is no label without it; fill or remove such rows"
            _refuse(empty, inter, field, file, way_out)
        if not threshold:
            label = inter[self.label_field].to_numpy()
            way_out = "but a label must be 0 or 1; make labels with threshold={'field': value}"
            _refuse((label != 0) & (label != 1), inter, self.label_field, file, way_out)

    # processing

    def _remap_ID_all(self) -> None:  # noqa: N802  (RecBole's name)
        super()._remap_ID_all()
        for field, ids in self.field2token_id.items():
            if ids.get(PADDING):
                raise UserError(f"{field}: no value may be called {PADDING}, as RecBole's padding")

    def _fill_nan(self) -> None:
        # pandas 3: RecBole fills tokens and numbers in a copy
        for feat in (getattr(self, name) for name in self.feat_name_list):
            for field in feat:
                if self.field2type[field] == FeatureType.TOKEN:
                    feat[field] = feat[field].fillna(0)
                elif self.field2type[field] == FeatureType.FLOAT:
                    feat[field] = feat[field].fillna(feat[field].mean())
        super()._fill_nan()


def _refuse(
    bad: np.ndarray, feat: pd.DataFrame, field: str, file: AtomicFile, way_out: str
) -> None:
    """Refuse the first bad row, bool ``[n_rows]``, by its line in the file."""
    if not bad.any():
        return
    value: object = feat[field].to_numpy()[bad][0]
    found = "empty" if isinstance(value, float) and np.isnan(value) else _plain(value)
    others = f" (and {bad.sum() - 1} others)" if bad.sum() > 1 else ""
    raise file.refuse_row(int(feat.index[bad][0]), f"{field} is {found}{others}, {way_out}")


def _plain(value: object) -> str:
    if isinstance(value, Iterable):
        return " ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
