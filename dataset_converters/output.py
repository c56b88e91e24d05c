"""Writing a data set folder: all of it or nothing of it."""

from __future__ import annotations

import io
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import polars as pl

from dataset_converters.disk import Disk
from dataset_converters.errors import ConversionError
from dataset_converters.signals import cleanups

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

    Until then ``target`` stays as it is; on an error or a signal the new folder is removed.

    Raises:
        ConversionError: As :func:`check_target`, or if no folder can be made there.
    """
    remove_leftovers(target)
    check_target(target, overwrite)
    staged, previous = (work_folder(target, kind, os.getpid()) for kind in ("partial", "previous"))
    undo = partial(discard, target, os.getpid())
    cleanups.append(undo)
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.mkdir()
        except OSError as error:
            raise ConversionError(f"{target}: cannot be made (--output): {error}") from error
        yield staged
        check_target(target, overwrite)  # it may have been filled in the meantime
        if target.exists():
            target.rename(previous)
        staged.rename(target)
    finally:
        undo()
        cleanups.remove(undo)


def work_folder(target: Path, kind: str, pid: int | str) -> Path:
    """Where a process keeps the ``partial`` or the ``previous`` output, beside ``target``.

    The host's name is part of it, since on a shared disk a number alone tells no process.
    """
    return target.with_name(f".{target.name}.{kind}-{platform.node()}-{pid}")


def discard(target: Path, pid: int) -> None:
    """Remove the work folders of a conversion wherever it stopped.

    An earlier output that was already moved aside comes back, if no new one took its place.
    """
    previous = work_folder(target, "previous", pid)
    if previous.exists() and not target.exists():
        with suppress(OSError):
            previous.rename(target)
    shutil.rmtree(work_folder(target, "partial", pid), ignore_errors=True)
    if target.exists():
        shutil.rmtree(previous, ignore_errors=True)


def remove_leftovers(target: Path) -> None:
    """Discard what conversions to ``target`` left that were killed; running ones are spared."""
    prefixes = tuple(work_folder(target, kind, "").name for kind in ("partial", "previous"))
    names = os.listdir(target.parent) if target.parent.is_dir() else []
    for name in names:
        pid = name.rpartition("-")[2]
        if name.startswith(prefixes) and pid.isdecimal() and not is_running(int(pid)):
            discard(target, int(pid))


def is_running(pid: int) -> bool:
    """Whether another process has this number."""
    if os.name != "posix":
        return True  # os.kill would end it there
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid != os.getpid()  # our own number on a folder is that of an earlier process


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file, which is on the disk when the block ends.

    Raises:
        ConversionError: If it cannot be written; names the file and the disk.
    """
    try:
        # Through a Python file: then a full disk is an ordinary exception here.
        with open(path, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConversionError(
            f"{path.name}: cannot be written: {error.strerror}; {Disk(path.parent)}"
        ) from error


def write_atomic(path: Path, frames: Iterator[pl.DataFrame], types: Mapping[str, str]) -> int:
    r"""Write one RecBole atomic file; returns the number of rows.

    Args:
        frames: The rows, in any number of frames with the columns ``types``.
        types: RecBole's type of each column: token, float, token_seq or float_seq.

    A null is written as nothing, which RecBole reads as unknown. A value with a quote or a tab in
    it is quoted as in CSV, which is how RecBole's reader takes it.
    """
    rows = 0
    disk = Disk(path.parent)
    with new_file(path) as file:
        file.write("\t".join(f"{name}:{kind}" for name, kind in types.items()).encode() + b"\n")
        for frame in frames:
            text = io.BytesIO()
            frame.select(list(types)).write_csv(text, separator="\t", include_header=False)
            disk.require(text.tell(), f"{path.name}: the next {frame.height:,} rows take")
            file.write(text.getbuffer())
            rows += frame.height
    return rows


def slices(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The frame in parts small enough to be turned into text in memory."""
    for start in range(0, max(frame.height, 1), ROWS_AT_A_TIME):
        yield frame.slice(start, ROWS_AT_A_TIME)
