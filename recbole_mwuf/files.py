"""Files that appear whole or not at all, under names of their own."""

from __future__ import annotations

import errno
import glob
import json
import os
import platform
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

from recbole_mwuf.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PART, _RESERVED = ".part", ".reserved"
_OWNER = re.compile(r"(?P<host>[\w-]+)\.(?P<process>\d+)\.\d+")  # and the thread


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well.

    What processes that were killed have left in the folder is removed first.

    Raises:
        UserError: if the folder cannot be made or the disk is full.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "figures.txt"
        >>> with atomic_write(target) as part:
        ...     _ = part.write_text("0.5")
        >>> target.read_text()
        '0.5'
    """
    path = Path(path)
    _make_folder(path.parent)
    part = path.with_name(f".{path.name}.{_owner()}{_PART}")
    try:
        with _full_disk_told(path):
            yield part
            with part.open("rb+") as written:
                os.fsync(written.fileno())  # or a crash of the machine leaves a name without data
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def reserved(folder: str | Path, ending: str) -> Iterator[str]:
    """An ending of file names that nothing else in a folder has or gets while the block runs.

    Several runs may start within a second; the names of their files must not be the same. Nothing
    stays if the block fails before it has written anything.

    Args:
        folder: Is made if need be.
        ending: What is wanted, such as ``seed2021-Nov-25-2026_06-16-16``.

    Returns:
        str: the ending, with a number if it is taken: ``...06-16-16-2``.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> with reserved(folder, "seed1-noon") as first, reserved(folder, "seed1-noon") as second:
        ...     first, second
        ('seed1-noon', 'seed1-noon-2')
    """
    folder = Path(folder)
    _make_folder(folder)
    for number in count(1):
        name = ending if number == 1 else f"{ending}-{number}"
        mark = folder / f".{name}{_RESERVED}"
        try:
            with _full_disk_told(mark), mark.open("x") as file:
                file.write(_owner())
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"cannot write to the folder '{folder}': {error.strerror}") from error
        if not any(folder.glob(f"*-{glob.escape(name)}.*")):
            break
        mark.unlink()  # of an earlier run, which has ended
    try:
        yield name
    finally:
        mark.unlink(missing_ok=True)


def set_aside(path: str | Path) -> Path:
    """Rename a file that is damaged, so that it is out of the way but not lost; its new name."""
    path = Path(path)
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    return aside


def plain_values(settings: dict) -> dict:
    """Settings as JSON values; a device or an enum by its name."""
    return json.loads(json.dumps(settings, default=str, sort_keys=True))


def write_json(path: str | Path, content: dict) -> None:
    """Write a JSON file; NaN is refused, since it is no JSON."""
    text = json.dumps(content, indent=1, allow_nan=False)
    with atomic_write(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def _owner() -> str:
    """This machine, process and thread; no other writes at the same time under these."""
    return f"{_host()}.{os.getpid()}.{threading.get_ident()}"


@cache
def _host() -> str:
    return re.sub(r"[^\w-]", "-", platform.node()) or "localhost"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder '{folder}': {error.strerror}") from error
    _remove_leftovers(folder.resolve(), os.getpid())


@cache
def _remove_leftovers(folder: Path, process: int) -> None:
    """Remove what dead processes of this machine left in a folder; once for a process."""
    for file in folder.glob(".*"):
        owner = ""
        if file.suffix == _PART:
            owner = ".".join(file.stem.split(".")[-3:])
        elif file.suffix == _RESERVED:
            owner = _text_of(file)
        found = _OWNER.fullmatch(owner)
        if found and found["host"] == _host() and _is_gone(int(found["process"])):
            file.unlink(missing_ok=True)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:  # its owner has just removed it
        return ""


def _is_gone(process: int) -> bool:
    import psutil  # RecBole needs it as well; most programs write no file

    return not psutil.pid_exists(process)


@contextmanager
def _full_disk_told(path: Path) -> Iterator[None]:
    """Say which file did not fit on which disk; torch hides that in an error of its own."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        causes = (error, error.__cause__, error.__context__)
        if not any(isinstance(cause, OSError) and cause.errno in _FULL for cause in causes):
            raise
        free = shutil.disk_usage(path.parent).free
        raise UserError(
            f"cannot write '{path}': its disk is full or a quota is used up ({free / 2**20:.1f} "
            f"MiB are free in '{path.parent.resolve()}'); make room and start again"
        ) from error
