"""What a reader hands over: a data set's tables, and how they become atomic files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dataset_converters.disk import Disk
from dataset_converters.errors import ConversionError
from dataset_converters.sources import RawFile, find, list_files

#: The files that tell a data set, and the sub-command that converts it.
SIGNATURES = {
    "ratings.dat": "movielens", "u.data": "movielens", "ratings.csv": "movielens",
    "raw_sample.csv": "taobao", "ad_feature.csv": "taobao", "user_profile.csv": "taobao",
    "user_behavior.csv": "cikm2019",
}  # fmt: skip


@dataclass
class Table:
    """A feature table, one row for every id.

    Attributes:
        rows: The id first, then the features; null where unknown.
        types: RecBole's type of each column.
        read: Rows in the raw file.
        repeated: Rows left out because their id came before.
        unused: Columns that are written, but that the settings do not load.
    """

    rows: pl.DataFrame
    types: dict[str, str]
    read: int
    repeated: int
    unused: tuple[str, ...] = ()


@dataclass
class RawDataset:
    """A raw data set in memory.

    Attributes:
        layout: Which release it is, such as ml-1m.
        protocols: The data sets in ``properties/dataset`` whose N and K it takes, the first that
            exists.
        inter: All interactions in raw order: user_id, item_id, timestamp, and what else tells two
            raw rows apart.
        inter_read: Rows in the raw files.
        value: What is written as ``value_name``: the label or the rating.
        threshold: From which value on an interaction is positive; None: the value is the 0/1 label.
        keep_all_items: Whether items are kept by default however few interactions they have.
        epoch: Whether time is in seconds since 1970.
    """

    layout: str
    protocols: tuple[str, ...]
    inter: pl.DataFrame
    inter_read: int
    value: pl.Expr
    value_name: str
    threshold: float | None
    user: Table | None
    item: Table | None
    keep_all_items: bool = False
    epoch: bool = True

    @property
    def positive(self) -> pl.Expr:
        """Whether an interaction is positive."""
        return self.value >= (1 if self.threshold is None else self.threshold)


def locate(source: Path, names: tuple[str, ...], command: str, disk: Disk) -> dict[str, RawFile]:
    """Find the files ``names`` in ``source``.

    Archives whose files do not fit on ``disk`` are refused: atomic files take about what the raw
    ones take unpacked.

    Raises:
        ConversionError: If one is missing; if another data set's files are there instead, that is
            said. Also if there is no room.
    """
    files = list_files(source, {*names, *SIGNATURES})
    found = {name: file for name in names if (file := find(files, name))}
    missing = [name for name in names if name not in found]
    if missing:
        others = {SIGNATURES[n] for n in SIGNATURES if find(files, n)} - {command}
        hint = f"; its files are those of the sub-command {' or '.join(sorted(others))}"
        raise ConversionError(
            f"{source}: found no {' and no '.join(missing)}, expected "
            f"{', '.join(names)}{hint if others else ''}"
        )
    disk.book(sum(file.size for file in found.values()), f"{source}: unpacked, its files take")
    return found


def features(
    rows: pl.DataFrame, read: int, types: Mapping[str, str], unused: tuple[str, ...] = ()
) -> Table:
    """A feature table with every id once: its first row counts, later ones are left out."""
    single = rows.unique(next(iter(types)), keep="first", maintain_order=True)
    return Table(single, dict(types), read, rows.height - single.height, unused)
