"""Taobao Display Ad Click, as published on Tianchi."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataset_converters.disk import Disk
from dataset_converters.errors import BadRows, ConversionError
from dataset_converters.raw import RawDataset, features, locate
from dataset_converters.tables import (
    Column,
    Layout,
    optional_whole,
    read_table,
    whole,
)

# Both labels are read although one tells the other: where they differ the row is malformed.
SAMPLE = Layout(
    columns=(
        whole("user_id"),
        whole("timestamp"),
        whole("item_id"),
        Column("pid", "a text as pid", pl.String),
        whole("nonclk", low=0, high=1),
        whole("clk", low=0, high=1),
    ),
    header=("user", "time_stamp", "adgroup_id", "pid", "nonclk", "clk"),
    agree=(pl.col("nonclk") != pl.col("clk"), "either clk or nonclk to be 1"),
)
AD = Layout(
    columns=(
        whole("item_id"),
        *(optional_whole(name, "NULL") for name in ("cate_id", "campaign_id", "customer", "brand")),
        Column("price", "a number from 0, NULL or blank as price", pl.Float64, high=1e15,
               missing=("", "NULL")),
    ),
    header=("adgroup_id", "cate_id", "campaign_id", "customer", "brand", "price"),
)  # fmt: skip
PROFILE_FEATURES = (
    "cms_segid", "cms_group_id", "final_gender_code", "age_level", "pvalue_level",
    "shopping_level", "occupation", "new_user_class_level",
)  # fmt: skip
# The published header ends in a blank; blanks around names are taken off before it is compared.
PROFILE = Layout(
    columns=(whole("user_id"), *(optional_whole(name, "NULL") for name in PROFILE_FEATURES)),
    header=("userid", *PROFILE_FEATURES),
)


def read(inputs: list[Path], bad_rows: BadRows, disk: Disk) -> RawDataset:
    """Read the three files from ``inputs`` (one folder or archive).

    Raises:
        ConversionError: If one is missing or malformed.
    """
    if len(inputs) != 1:
        raise ConversionError(f"--input: found {len(inputs)} paths, expected one for taobao")
    names = ("raw_sample.csv", "ad_feature.csv", "user_profile.csv")
    raw = locate(inputs[0], names, "taobao", disk)
    inter, n_read = read_table(raw["raw_sample.csv"], SAMPLE, bad_rows)
    ads, n_ads = read_table(raw["ad_feature.csv"], AD, bad_rows)
    profiles, n_profiles = read_table(raw["user_profile.csv"], PROFILE, bad_rows)
    item_types = {c.name: "float" if c.name == "price" else "token" for c in AD.columns}
    user_types = {c.name: "token" for c in PROFILE.columns}
    return RawDataset(
        layout="taobao-ad",
        protocols=("taobao-ad",),
        inter=inter.drop("nonclk"),
        inter_read=n_read,
        value=pl.col("clk"),
        value_name="label",
        threshold=None,
        user=features(profiles, n_profiles, user_types),
        # The paper's item features are categorical: price is written, not loaded.
        item=features(ads, n_ads, item_types, unused=("price",)),
    )
