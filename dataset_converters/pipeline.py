"""The steps that every converter shares: read, choose rows, write the folder, report."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

from dataset_converters import cikm2019, movielens, taobao
from dataset_converters.disk import Disk
from dataset_converters.errors import BadRows, ConversionError
from dataset_converters.interactions import (
    count_items,
    items_by_group,
    one_per_pair,
    repeated_rows,
)
from dataset_converters.output import new_file, slices, staged_folder, write_atomic
from dataset_converters.raw import RawDataset, Table
from dataset_converters.report import Report
from dataset_converters.settings import dataset_settings, protocol

READERS = {"movielens": movielens.read, "taobao": taobao.read, "cikm2019": cikm2019.read}


@dataclass
class Options:
    """What the command line can say; see ``--help``.

    Attributes:
        converter: movielens, taobao or cikm2019.
        input: Folder or archive; several rounds for cikm2019.
        output: Folder to write; its base name is the data set's name.
        overwrite: Replace an earlier output.
        skip_bad_rows: Skip and count malformed rows rather than stop.
        max_errors: With ``skip_bad_rows``: stop all the same after so many.
        drop_duplicates: Remove exact copies of earlier interaction rows.
        implicit: Keep positive interactions only, without label or rating.
        min_item_count: Leave out items with fewer interactions; None: the data set's default.
        label: ``per_row`` or ``per_pair`` (cikm2019).
        old_item_threshold, phase_size: N and K for the report and the settings; None: from
            ``properties/dataset``.
    """

    converter: str
    input: list[Path]
    output: Path
    overwrite: bool = False
    skip_bad_rows: bool = False
    max_errors: int = 1000
    drop_duplicates: bool = False
    implicit: bool = False
    min_item_count: int | None = None
    label: str = "per_row"
    old_item_threshold: int | None = None
    phase_size: int | None = None


def convert(options: Options) -> Report:
    """Convert a data set.

    Returns:
        Report: What was read, written and left out; also in the output folder, as JSON.

    Raises:
        ConversionError: If the input is missing or malformed, or the output exists.
    """
    target = Path(os.path.abspath(options.output))  # a name also for "." and "x/.."
    with staged_folder(target, options.overwrite) as folder:
        bad_rows = BadRows(options.skip_bad_rows, options.max_errors)
        raw = READERS[options.converter](options.input, bad_rows, Disk(folder))
        if raw.inter.is_empty():
            raise ConversionError(f"{options.input[0]}: found no sound interaction, expected some")
        report = Report(options.converter, raw.layout, [str(p) for p in options.input], str(target))
        report.protocol = find_protocol(options, raw)
        report.malformed = dict(bad_rows.counts)
        report.first_malformed = dict(bad_rows.first)
        write_dataset(folder / target.name, raw, options, report)
        write_settings(folder / f"{target.name}.yaml", raw, options.implicit, report)
        with new_file(folder / f"{target.name}.report.json") as file:
            file.write(report.as_json().encode())
        if any((path / "GENERATED").exists() for path in options.input):
            (folder / f"{target.name}.generated").touch()  # made-up data stays marked as such
    return report


def find_protocol(options: Options, raw: RawDataset) -> dict[str, int]:
    """N and K: the command line's, else those of the data set; empty if unknown."""
    given = {
        name: value
        for name in ("old_item_threshold", "phase_size")
        if (value := getattr(options, name)) is not None
    }
    found = protocol(*raw.protocols) | given
    return found if len(found) == 2 else {}


def default_min_item_count(raw: RawDataset, nk: dict[str, int]) -> int:
    """0, or what an item needs to take part: more than 3K interactions."""
    if raw.keep_all_items:
        return 0
    if not nk:
        raise ConversionError(
            f"no N and K known for {raw.protocols[0]}: its properties file was not found; "
            "pass --min_item_count, or --old_item_threshold and --phase_size"
        )
    return 3 * nk["phase_size"] + 1


def write_dataset(prefix: Path, raw: RawDataset, options: Options, report: Report) -> None:
    """Choose the rows, write the atomic files ``prefix``.inter, .user, .item, and report."""
    nk, minimum = report.protocol, options.min_item_count
    if minimum is None:
        minimum = default_min_item_count(raw, nk)
    inter = raw.inter
    taken = choose_rows(raw, options, report)
    counts = count_items(inter, taken)
    if counts.is_empty():
        raise ConversionError(f"{options.input[0]}: found no positive interaction (--implicit)")
    if nk:
        report.items_by_group = items_by_group(counts["n"], **nk)
    if minimum:
        kept = counts.filter(pl.col("n") >= minimum)["item_id"]
        if kept.is_empty():
            raise ConversionError(
                f"no item has {minimum} interactions or more (--min_item_count); "
                f"the most that one has is {counts['n'].max()!r}"
            )
        left_out = taken & ~inter["item_id"].is_in(kept.implode())
        report.skipped["item below min_item_count"] = int(left_out.sum())
        taken &= ~left_out
    report.min_item_count = minimum
    report.read["inter"] = raw.inter_read
    report.written["inter"] = write_inter(
        prefix.with_name(f"{prefix.name}.inter"), raw, taken, options.implicit
    )
    report.positives = int(inter.select((raw.positive & taken).sum()).item())
    times = inter["timestamp"].filter(taken)
    report.time_span = (int(times.min()), int(times.max()), raw.epoch)  # type: ignore[arg-type]
    del times
    for source, table in (("user", raw.user), ("item", raw.item)):
        ids = inter[f"{source}_id"].filter(taken).cast(pl.Int64)
        report.distinct[source] = ids.n_unique()
        if table is not None:
            path = prefix.with_name(f"{prefix.name}.{source}")
            write_features(path, source, table, ids, bool(minimum), report)


def choose_rows(raw: RawDataset, options: Options, report: Report) -> pl.Series:
    """Which rows stay, as booleans: without copies, one per pair, positive, where asked for."""
    chosen = choose_copies(raw, options, report)
    if options.implicit:
        positive = raw.inter.select(raw.positive).to_series()
        report.skipped["not positive"] = int((chosen & ~positive).sum())
        chosen &= positive
    return chosen


def choose_copies(raw: RawDataset, options: Options, report: Report) -> pl.Series:
    """Which of the rows that are alike stay."""
    repeated = repeated_rows(raw.inter)
    report.duplicates = int(repeated.sum())
    if options.label == "per_pair":
        # The row chosen may be a copy of another, so copies go here only by not being chosen.
        chosen = one_per_pair(raw.inter, raw.positive)
        report.skipped["merged into its pair's row"] = int((~chosen).sum())
        return chosen
    if options.drop_duplicates:
        report.skipped["duplicate"] = report.duplicates
        return ~repeated
    return pl.repeat(True, raw.inter.height, dtype=pl.Boolean, eager=True)


def inter_columns(raw: RawDataset, implicit: bool) -> list[str]:
    """The columns of .inter."""
    value = [] if implicit else [raw.value_name]
    return ["user_id", "item_id", *value, "timestamp"]


def write_inter(path: Path, raw: RawDataset, taken: pl.Series, implicit: bool) -> int:
    """Write the interactions that stay, in raw order."""
    columns = inter_columns(raw, implicit)
    types = {name: "token" if name.endswith("_id") else "float" for name in columns}
    frames = (
        part.filter(mask.to_series()).with_columns(raw.value.alias(raw.value_name)).select(columns)
        for part, mask in zip(slices(raw.inter), slices(taken.to_frame()))
    )
    return write_atomic(path, frames, types)


def write_features(
    path: Path, source: str, table: Table, ids: pl.Series, only_present: bool, report: Report
) -> None:
    """Write a feature table.

    An id without features gets a row of unknowns at the end, since RecBole removes interactions
    whose user or item has no row.
    """
    key = f"{source}_id"
    present = ids.unique()
    rows = table.rows.with_columns(pl.col(key).cast(pl.Int64))
    if only_present:
        rows = rows.filter(pl.col(key).is_in(present.implode()))
    unknown = present.filter(~present.is_in(rows[key].implode())).sort()
    report.read[source] = table.read
    report.repeated_ids[source] = table.repeated
    report.without_features[source] = {
        "ids": len(unknown),
        "interactions": int(ids.is_in(unknown.implode()).sum()),
    }
    rows = pl.concat([rows, unknown.to_frame()], how="diagonal")
    report.written[source] = write_atomic(path, slices(rows), table.types)


def write_settings(path: Path, raw: RawDataset, implicit: bool, report: Report) -> None:
    """Write the settings that go with the data, for ``--config_files``."""
    columns = {"inter": inter_columns(raw, implicit)}
    for source, table in (("user", raw.user), ("item", raw.item)):
        if table is not None:
            columns[source] = [name for name in table.types if name not in table.unused]
    threshold = None if raw.threshold is None or implicit else {raw.value_name: raw.threshold}
    settings = dataset_settings(columns, threshold, report.protocol)
    text = yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=100)
    with new_file(path) as file:
        file.write(f"# {raw.layout}, written by dataset_converters.\n{text}".encode())
