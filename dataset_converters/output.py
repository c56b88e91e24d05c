"""Writing a data set folder: all of it or nothing of it."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from dataset_converters.errors import ConversionError

SUFFIXES = (".inter", ".user", ".item", ".yaml", ".report.json", ".generated")
ROWS_AT_A_TIME = 1_000_000


def check_target(target: Path, overwrite: bool) -> None:
    """Refuse a target that holds anything, unless it is an earlier output to be overwritten.

    Raises:
        ConversionError: If ``target`` is a file or link, or holds files and ``overwrite`` is not
            set, or holds files that no converter wrote there.
    """
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise ConversionError(
            f"{target}: found a file or link, expected a folder or nothing (--output)"
        )
    found = {path.name for path in target.iterdir()}
    if found and not overwrite:
        raise ConversionError(f"{target}: exists and is not empty; --overwrite replaces it")
    foreign = sorted(found - {target.name + suffix for suffix in SUFFIXES})
    if foreign:
        raise ConversionError(
            f"{target}: --overwrite would remove {', '.join(foreign[:3])}, which no converter "
            "wrote; move it away or choose another --output"
        )


@contextmanager
def staged_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    """A new folder beside ``target`` that takes its place when the block ends without an error.

    Until then ``target`` stays as it is; on an error the new folder is removed.

    Raises:
        ConversionError: As :func:`check_target`.
    """
    check_target(target, overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{target.name}.partial-{os.getpid()}")
    previous = target.with_name(f".{target.name}.previous-{os.getpid()}")
    staged.mkdir()
    try:
        yield staged
        check_target(target, overwrite)  # it may have been filled in the meantime
        try:
            if target.exists():
                target.rename(previous)
            staged.rename(target)
        except BaseException:
            if previous.exists() and not target.exists():
                previous.rename(target)
            raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    shutil.rmtree(previous, ignore_errors=True)


def write_atomic(path: Path, frames: Iterator[pl.DataFrame], types: Mapping[str, str]) -> int:
    r"""Write one RecBole atomic file; returns the number of rows.

    Args:
        frames: The rows, in any number of frames with the columns ``types``.
        types: RecBole's type of each column: token, float, token_seq or float_seq.

    A null is written as nothing, which RecBole reads as unknown. A value with a quote or a tab in
    it is quoted as in CSV, which is how RecBole's reader takes it.
    """
    rows = 0
    # Through a Python file: then a full disk or an interrupt is an ordinary exception here.
    with open(path, "wb") as file:
        file.write("\t".join(f"{name}:{kind}" for name, kind in types.items()).encode() + b"\n")
        for frame in frames:
            text = io.BytesIO()
            frame.select(list(types)).write_csv(text, separator="\t", include_header=False)
            file.write(text.getbuffer())
            rows += frame.height
        file.flush()
        os.fsync(file.fileno())
    return rows


def slices(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The frame in parts small enough to be turned into text in memory."""
    for start in range(0, max(frame.height, 1), ROWS_AT_A_TIME):
        yield frame.slice(start, ROWS_AT_A_TIME)
