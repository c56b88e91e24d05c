"""CIKM2019 EComm AI, as published on Tianchi: one folder or archive for every round."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataset_converters.disk import Disk
from dataset_converters.errors import BadRows
from dataset_converters.raw import RawDataset, features, locate
from dataset_converters.tables import (
    Layout,
    choice,
    optional_whole,
    read_table,
    whole,
)

BEHAVIOR = Layout(
    columns=(
        whole("user_id"),
        whole("item_id"),
        choice("behavior", "pv", "buy", "cart", "fav"),
        whole("timestamp"),
    )
)
USER_FEATURES = ("gender", "age", "purchasing_power")
ITEM_FEATURES = ("category", "shop", "brand")
USER = Layout(columns=(whole("user_id"), *map(optional_whole, USER_FEATURES)))
ITEM = Layout(columns=(whole("item_id"), *map(optional_whole, ITEM_FEATURES)))


def read(inputs: list[Path], bad_rows: BadRows, disk: Disk) -> RawDataset:
    """Read and merge the rounds ``inputs``, in the order given.

    Raises:
        ConversionError: If a file is missing or malformed.
    """
    tables: dict[str, list[pl.DataFrame]] = {}
    rows: dict[str, int] = {}
    layouts = {"user_behavior.csv": BEHAVIOR, "user.csv": USER, "item.csv": ITEM}
    rounds = [locate(source, tuple(layouts), "cikm2019", disk) for source in inputs]
    for files in rounds:
        for name, file in files.items():
            table, n_read = read_table(file, layouts[name], bad_rows)
            tables.setdefault(name, []).append(table)
            rows[name] = rows.get(name, 0) + n_read
    merged = {name: pl.concat(parts, how="vertical_relaxed") for name, parts in tables.items()}
    user_types = {c.name: "token" for c in USER.columns}
    item_types = {c.name: "token" for c in ITEM.columns}
    return RawDataset(
        layout="cikm2019",
        protocols=("cikm2019",),
        inter=merged["user_behavior.csv"],
        inter_read=rows["user_behavior.csv"],
        value=(pl.col("behavior") == "buy").cast(pl.UInt8),
        value_name="label",
        threshold=None,
        user=features(merged["user.csv"], rows["user.csv"], user_types),
        item=features(merged["item.csv"], rows["item.csv"], item_types),
        epoch=False,
    )
