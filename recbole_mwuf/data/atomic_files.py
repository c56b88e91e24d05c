"""RecBole's atomic files, checked where pandas would guess: it fills and cuts rows silently."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recbole.utils import FeatureType

from recbole_mwuf.compat import MISSING_NUMBERS
from recbole_mwuf.errors import UserError

NUMBERS = (FeatureType.FLOAT, FeatureType.FLOAT_SEQ)
_TYPES = {kind.value: kind for kind in FeatureType}
_BLOCK = 2**18  # bytes that are looked at together: they stay in the cache
_SHOWN = 80  # characters of a cell that a message quotes

Fields = dict[str, FeatureType]


@dataclass(frozen=True)
class AtomicFile:
    """A file of a data set: a header of ``name:type`` cells, then a row on every line.

    Args:
        path: The file.
        separator: RecBole's ``field_separator``; more than one character are a pattern.
        seq_separator: Between the values of a sequence.
        encoding: Of the text; None for UTF-8.
    """

    path: Path
    separator: str = "\t"
    seq_separator: str = " "
    encoding: str | None = None

    def check(self) -> Fields:
        """Refuse a file with a line that has more or fewer cells than the header.

        Empty lines are no rows, as for pandas.

        Returns:
            dict: the fields by name, in the order of the columns.

        Raises:
            UserError: with the line.
        """
        fields = self.fields()
        if not self._is_plainly_even(len(fields)):
            for line, cells in self._rows():
                if len(cells) != len(fields):
                    raise self.refusal(
                        line, f"has {len(cells)} cells, but the header names {len(fields)} fields"
                    )
        return fields

    def fields(self) -> Fields:
        """The fields by name, in the order of the columns.

        Raises:
            UserError: if the file cannot be read, or its first line is no such header.
        """
        try:
            with self.path.open(encoding=self._codec) as file:
                header = file.readline().rstrip("\n")
        except OSError as error:
            raise UserError(f"cannot read '{self.path}': {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise self._not_decoded(error) from error
        if not header.strip():
            raise self.refusal(1, "it is empty, but must name the fields, such as user_id:token")
        if header.startswith("\ufeff"):
            raise self.refusal(
                1,
                "it begins with a byte order mark; save the file without one, or set "
                "encoding=utf-8-sig",
            )
        found: Fields = {}
        for cell in header.split(self.separator):
            name, _, kind = cell.partition(":")
            if not name or kind not in _TYPES:
                raise self.refusal(
                    1,
                    f"{_quoted(cell)} is no NAME:TYPE (the types are {', '.join(_TYPES)}; "
                    f"field_separator is {self.separator!r})",
                )
            if name in found:
                raise self.refusal(1, f"there are two columns of the name '{name}'")
            found[name] = _TYPES[kind]
        return found

    @property
    def _codec(self) -> str:
        return self.encoding or "utf-8"

    def _is_plainly_even(self, n_fields: int) -> bool:
        """Whether the separators alone show that all lines have as many cells.

        A quote or a lone carriage return, which may hide or make a line's end, is not plain.
        """
        separator = self.separator.encode()
        if len(separator) != 1:
            return False
        with self.path.open("rb") as file:
            header = file.readline()
            end = b"\r\n" if header.endswith(b"\r\n") else b"\n"
            if b"\r" in header.removesuffix(end):
                return False
            others = bytes(set(range(256)).difference(separator, b'\r\n"'))
            line = separator * (n_fields - 1) + end
            rest, last = b"", end
            while block := file.read(_BLOCK):
                marks = rest + block.translate(None, delete=others)
                n_lines, last = len(marks) // len(line), block[-1:]
                rest = marks[n_lines * len(line) :]
                if marks != line * n_lines + rest:
                    return False
        return rest == (b"" if last in (end, b"\n") else separator * (n_fields - 1))

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of every row but the header, as pandas tells them apart.

        Raises:
            UserError: for a line that cannot be decoded, or a quote that does not end in its line.
        """
        line, blank = 0, " \t\r\n".replace(self.separator, "")
        try:
            with self.path.open(encoding=self._codec, newline="") as file:
                for line, text in enumerate(file, 1):
                    if line > 1 and text.strip(blank):
                        yield line, self._cells(line, text)
        except UnicodeDecodeError as error:
            raise self._not_decoded(error) from error
        except csv.Error as error:
            raise self.refusal(line, str(error)) from error

    def _cells(self, line: int, text: str) -> list[str]:
        if len(self.separator) > 1:
            return re.split(self.separator, text.rstrip("\r\n"))
        if '"' not in text:
            return text.rstrip("\r\n").split(self.separator)
        cells = next(csv.reader([text], delimiter=self.separator))
        if cells[-1].endswith(("\r", "\n")):  # pandas would read on, through the next lines
            raise self.refusal(line, f"the quote before {_quoted(cells[-1][:-1])} does not end")
        return cells

    def explain(self, error: ValueError, loaded: Fields) -> UserError:
        """What pandas or RecBole could not read, with its line.

        Args:
            error: What was raised.
            loaded: The fields that were to be read.
        """
        if isinstance(error, UnicodeDecodeError):
            return self._not_decoded(error)
        columns = {name: i for i, name in enumerate(self.fields()) if loaded.get(name) in NUMBERS}
        for line, cells in self._rows():
            for name, column in columns.items():
                values = [cells[column]]
                if loaded[name] is FeatureType.FLOAT_SEQ:
                    values = values[0].split(self.seq_separator)
                if not all(map(_is_number, values)):
                    found = _quoted(cells[column])
                    return self.refusal(line, f"{name} is {found}, but must be a number")
        return UserError(f"'{self.path}': {error}")

    def refuse_row(self, row: int, reason: str) -> UserError:
        """An error that names the line of a row, counted from 0."""
        for number, (line, _) in enumerate(self._rows()):
            if number == row:
                return self.refusal(line, reason)
        return UserError(f"'{self.path}': {reason}")

    def refusal(self, line: int, reason: str) -> UserError:
        """An error that names file and line."""
        return UserError(f"'{self.path}', line {line}: {reason}")

    def _not_decoded(self, error: UnicodeDecodeError) -> UserError:
        decoder = codecs.getincrementaldecoder(self._codec)()
        with self.path.open("rb") as file:
            for line, text in enumerate(file, 1):
                try:
                    decoder.decode(text)
                except UnicodeDecodeError as found:
                    reason = f"it is not {self._codec} ({found.reason}); see encoding"
                    return self.refusal(line, reason)
        return UserError(f"'{self.path}' is not {self._codec} ({error.reason}); see encoding")


def _is_number(text: str) -> bool:
    text = text.strip()
    if text in MISSING_NUMBERS:
        return True
    try:
        is_finite = math.isfinite(float(text))
    except ValueError:
        return False
    # Python reads some texts as numbers that pandas does not
    return text.isascii() and "_" not in text and (is_finite or "inf" in text.lower())


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
