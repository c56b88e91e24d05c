"""Delimited raw files to polars frames, in blocks: fast where a block is sound, exact where not.

A sound block is parsed by polars. A block that polars refuses, or that does not have the right
number of separators, is read again line by line in Python, which finds the line at fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Union

import polars as pl

from dataset_converters.errors import BadRows, ConversionError
from dataset_converters.sources import BOM, Block, RawFile

#: Whole numbers up to here are exact in the float64 that RecBole reads them into.
LARGEST_WHOLE = 2**53
WHOLE_PATTERN = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER_PATTERN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")

Value = Union[int, float, str, None]


@dataclass(frozen=True)
class Column:
    """One column of a raw file: how it is called, what it may hold.

    Attributes:
        name: Name in the resulting frame.
        expected: What is allowed, in words, for error messages.
        dtype: Int64, Float64 or String.
        low, high: Range of a number, both ends allowed.
        choices: The texts allowed in a String column; empty: any text but none.
        missing: Texts that mean "unknown"; they become null. Empty: a value is required.
    """

    name: str
    expected: str
    dtype: type[pl.DataType] = pl.Int64
    low: float = 0
    high: float = LARGEST_WHOLE
    choices: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def parse(self, text: str) -> Value:
        """Parse one cell as polars does.

        Raises:
            ValueError: If the text has not the column's type.
        """
        if self.dtype == pl.String:
            return text or None
        text = text.strip(" \t\r")
        if text in ("", *self.missing):
            return None
        is_whole = self.dtype == pl.Int64
        if not (WHOLE_PATTERN if is_whole else NUMBER_PATTERN).fullmatch(text):
            raise ValueError(text)
        return int(text) if is_whole else float(text)

    def is_sound(self) -> pl.Expr:
        """Whether a parsed value is one that the column allows."""
        values = pl.col(self.name)
        if self.dtype != pl.String:
            sound = values.is_between(self.low, self.high)
        else:
            sound = values.is_in(list(self.choices)) if self.choices else pl.lit(True)
        return values.is_null() | sound if self.missing else values.is_not_null() & sound


def whole(name: str, *, low: int = 0, high: int = LARGEST_WHOLE) -> Column:
    """A required whole number, such as an id or a time."""
    text = f"{low} or {high}" if high == low + 1 else f"a whole number from {low}"
    return Column(name, f"{text} as {name}", low=low, high=high)


def optional_whole(name: str, *missing: str) -> Column:
    """A whole number, or one of the texts ``missing`` (blank always) where it is unknown."""
    words = " or ".join(("blank", *missing))
    return Column(name, f"a whole number or {words} as {name}", missing=("", *missing))


def choice(name: str, *choices: str) -> Column:
    """One of a few texts."""
    return Column(name, f"{', '.join(choices)} as {name}", pl.String, choices=choices)


@dataclass(frozen=True)
class Layout:
    """How a delimited file is laid out.

    Attributes:
        columns: Its columns, in order.
        separator: Between cells; more than one character only between numbers.
        header: Its first line, blanks around the names aside; None: there is none.
        agree: A condition between columns, and how it is called in a message.
    """

    columns: Sequence[Column]
    separator: str = ","
    header: Sequence[str] | None = None
    agree: tuple[pl.Expr, str] | None = None

    @property
    def in_words(self) -> str:
        """The columns, for error messages."""
        return f"{len(self.columns)} columns ({', '.join(c.name for c in self.columns)})"


def read_table(file: RawFile, layout: Layout, bad_rows: BadRows) -> tuple[pl.DataFrame, int]:
    """Read a whole delimited file.

    Args:
        bad_rows: What to do with malformed rows.

    Returns:
        The sound rows in file order, in the smallest types that hold them, and the number of rows
        read, malformed ones included.

    Raises:
        ConversionError: If the file is empty, has another header, or has malformed rows that are
            not skipped.
    """
    frames: list[pl.DataFrame] = []
    n_read = 0
    for block in row_blocks(file, layout):
        frames.append(compact(read_block(file, layout, block, bad_rows), layout))
        n_read += block.n_lines
    if not n_read:
        raise ConversionError(f"{file}: found no rows below the header, expected some")
    return pl.concat(frames, how="vertical_relaxed"), n_read


def row_blocks(file: RawFile, layout: Layout) -> Iterator[Block]:
    """The file's blocks of rows; the header is checked and taken off."""
    for block in file.blocks():
        if block.first == 1 and layout.header is not None:
            head, _, data = block.data.partition(b"\n")
            check_header(file, head, layout)
            block = Block(2, block.n_lines - 1, data)
        if block.n_lines:
            yield block


def check_header(file: RawFile, head: bytes, layout: Layout) -> None:
    """Compare the first line with the header that the layout has."""
    expected = list(layout.header or ())
    found = head.decode("utf-8", errors="replace").rstrip("\r")
    if [name.strip() for name in found.split(layout.separator)] != expected:
        raise ConversionError(
            f"{file}, line 1: found {found[:200]!r}, "
            f"expected the header {layout.separator.join(expected)!r}"
        )


def read_block(file: RawFile, layout: Layout, block: Block, bad_rows: BadRows) -> pl.DataFrame:
    """Parse and check one block; the sound rows."""
    frame = parse_fast(layout, block)
    lines: Sequence[int] = range(block.first, block.first + block.n_lines)
    if frame is None:
        frame, lines = parse_by_line(file, layout, block, bad_rows)
    checks = [(column.is_sound(), column.expected) for column in layout.columns]
    if layout.agree:
        checks.append(layout.agree)
    sound = frame.select(pl.all_horizontal(check for check, _ in checks)).to_series()
    if sound.all():
        return frame
    for row in (~sound).arg_true():
        cells = frame[row]
        expected = next(text for check, text in checks if not cells.select(check).item())
        found = layout.separator.join("" if v is None else str(v) for v in cells.row(0))
        bad_rows.reject(str(file), lines[row], found, expected)
    return frame.filter(sound)


def parse_fast(layout: Layout, block: Block) -> pl.DataFrame | None:
    """Parse a block by polars; None if it is not certain to be read as it stands."""
    data, separator = block.data, layout.separator
    if data.startswith(BOM):  # polars would take it off
        return None
    # polars fills up short rows in silence, but refuses long ones: the count settles both.
    if data.count(separator.encode()) != block.n_lines * (len(layout.columns) - 1):
        return None
    if len(separator) > 1:
        if b"," in data:
            return None
        data, separator = data.replace(separator.encode(), b","), ","
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            separator=separator,
            quote_char=None,
            schema={column.name: column.dtype for column in layout.columns},
            null_values={c.name: text for c in layout.columns for text in c.missing if text},
        )
    except pl.exceptions.PolarsError:
        return None
    return frame if frame.height == block.n_lines else None


def parse_by_line(
    file: RawFile, layout: Layout, block: Block, bad_rows: BadRows
) -> tuple[pl.DataFrame, list[int]]:
    """Parse a block line by line, rejecting the malformed ones; also gives the line numbers."""
    rows: list[list[Value]] = []
    lines: list[int] = []
    for number, text in decoded_lines(file, block, "utf-8", bad_rows):
        cells = text.split(layout.separator)
        if len(cells) != len(layout.columns):
            bad_rows.reject(str(file), number, text, layout.in_words)
            continue
        values: list[Value] = []
        for column, cell in zip(layout.columns, cells):
            try:
                values.append(column.parse(cell))
            except ValueError:
                bad_rows.reject(str(file), number, text, column.expected)
                break
        else:
            rows.append(values)
            lines.append(number)
    schema = {column.name: column.dtype for column in layout.columns}
    return pl.DataFrame(rows, schema=schema, orient="row"), lines


def decoded_lines(
    file: RawFile, block: Block, encoding: str, bad_rows: BadRows
) -> Iterator[tuple[int, str]]:
    """The lines of a block with their numbers, line ends taken off."""
    for number, line in enumerate(block.data.removesuffix(b"\n").split(b"\n"), block.first):
        try:
            yield number, decode(line.removesuffix(b"\r"), encoding)
        except UnicodeDecodeError:
            bad_rows.reject(
                str(file), number, line.decode(encoding, "backslashreplace"), f"{encoding} text"
            )


def decode(line: bytes, encoding: str) -> str:
    """A line in ``encoding`` or, as many a copy has been converted to, in UTF-8.

    Latin-1 text that makes sense as UTF-8 does not occur in practice.
    """
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode(encoding)


def read_lines(
    file: RawFile, encoding: str, bad_rows: BadRows, parse: Callable[[int, str], None]
) -> int:
    """Hand every line of a small file to ``parse``; returns how many there were."""
    n_lines = 0
    for block in file.blocks():
        for number, text in decoded_lines(file, block, encoding, bad_rows):
            parse(number, text)
        n_lines += block.n_lines
    return n_lines


def compact(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The same values in less memory: narrow whole numbers, texts as codes."""

    def narrow(column: Column) -> pl.DataType | type[pl.DataType]:
        if column.dtype == pl.String:
            return pl.Enum(column.choices) if column.choices else pl.Categorical()
        if column.dtype != pl.Int64:
            return column.dtype
        if column.high <= 255:
            return pl.UInt8
        largest = frame[column.name].max()
        return pl.Int64 if isinstance(largest, int) and largest >= 2**32 else pl.UInt32

    return frame.with_columns(pl.col(c.name).cast(narrow(c)) for c in layout.columns)
