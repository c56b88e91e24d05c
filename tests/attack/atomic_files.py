"""Atomic files of a run: what RecBole would drop, bend or trip over."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from tests.attack.cases import Case
from tests.conftest import N_USERS, ROWS_OF_ITEM, TINY, write_tiny

Change = Callable[[list[str]], list[str]]


def _cell(row: int, column: int, value: str) -> Change:
    def change(lines: list[str]) -> list[str]:
        cells = lines[row].split("\t")
        cells[column] = value
        return [*lines[:row], "\t".join(cells), *lines[row + 1 :]]

    return change


_USERS = {str(user) for user in range(1, N_USERS + 1)}
_ITEMS = set(map(str, ROWS_OF_ITEM))
# in .inter: user, item, label, time
CELLS = {
    "time": (3, ["", "inf", "-inf", "nan", "yesterday", "1e400", "2020-01-01", "0x10", "1,5"]),
    "label": (2, ["", "2", "2.0", "-1", "0.5", "yes", "nan", "inf", "1e-9"]),
    "user": (0, ["", "NA", "null", "nan", " ", "é", "\U0001f600", "a" * 5000]),
    "item": (1, ["", "NA", "null", "nan", " ", "é", "\U0001f600", "a" * 5000]),
}
LINES: dict[str, Change] = {
    "a short line": lambda lines: [*lines[:5], "1\t2", *lines[5:]],
    "a long line": lambda lines: [*lines[:5], lines[5] + "\t9\t9", *lines[6:]],
    "an empty line": lambda lines: [*lines[:5], "", *lines[5:]],
    "a truncated end": lambda lines: [*lines[:-1], lines[-1][:3]],
    "no rows": lambda lines: lines[:1],
    "no header": lambda lines: lines[1:],
    "a header without types": lambda lines: ["user_id\titem_id\tlabel\ttimestamp", *lines[1:]],
    "a wrong type": lambda lines: [lines[0].replace("float", "number"), *lines[1:]],
    "a double column": lambda lines: [lines[0].replace("label", "user_id"), *lines[1:]],
    "a column less": lambda lines: ["\t".join(line.split("\t")[:3]) for line in lines],
    "quotes": lambda lines: [*lines[:5], '"' + lines[5], *lines[6:]],
    "the same row twice": lambda lines: [*lines, lines[5]],
    "spaces for tabs": lambda lines: [line.replace("\t", " ") for line in lines],
}
ENCODINGS = ["utf-8-sig", "utf-16", "utf-32", "latin-1", "cp037"]


def cases(rounds: int) -> Iterator[Case]:
    """One change to the small data set each."""
    for suffix in ("inter", "user", "item"):
        for name, change in LINES.items():
            yield _case(f".{suffix}: {name}", suffix, change)
        for encoding in ENCODINGS:
            yield _case(f".{suffix}: {encoding}", suffix, lambda lines: lines, encoding)
        yield _case(f".{suffix}: CRLF", suffix, lambda lines: lines, newline="\r\n")
        yield _case(f".{suffix}: empty", suffix, lambda lines: [])
    for name, (column, values) in CELLS.items():
        for value in values:
            for row in range(1, 1 + 3 * rounds):
                title = f"{name} is {value[:12]!r} in row {row}"
                yield _case(title, "inter", _cell(row, column, value))


def _case(
    title: str, suffix: str, change: Change, encoding: str = "utf-8", newline: str = "\n"
) -> Case:
    def attempt() -> bool:
        shutil.rmtree("data", ignore_errors=True)
        Path("data").mkdir()
        write_tiny(Path("data"))
        file = Path("data", "tiny", f"tiny.{suffix}")
        lines = change(file.read_text(encoding="utf-8").splitlines())
        text = newline.join([*lines, ""]) if lines else ""
        file.write_bytes(text.encode(encoding, errors="replace"))
        return _keeps_all_rows(suffix, lines)

    return Case(title, attempt)


def _keeps_all_rows(suffix: str, lines: list[str]) -> bool:
    """Whether a data set that loads has every row, with labels and times as they stand there.

    Rows may be left out whose user or item has no features, if their number is told.
    """
    settings = {**TINY, "data_path": "data"}
    data = ColdStartDataset(Config("MWUF", "tiny", config_dict=settings, base="WideDeep"))
    if suffix != "inter":
        return True
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    known = [row for row in rows if row[0] in _USERS and row[1] in _ITEMS]
    if sum(data.left_out.values()) != len(rows) - len(known):
        return False
    rows = known
    labels = np.array([float(row[2]) for row in rows])
    times = np.array([float(row[3]) for row in rows])
    found = data.inter_feat["label"].numpy(), data.times
    return np.array_equal(found[0], labels) and np.array_equal(found[1], times)
