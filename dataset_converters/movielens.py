"""MovieLens as GroupLens publishes it: ml-100k, ml-1m, ml-10m, and the CSV releases from 20m on."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dataset_converters.disk import Disk
from dataset_converters.errors import BadRows, ConversionError, shorten
from dataset_converters.raw import RawDataset, Table, features, locate
from dataset_converters.sources import RawFile, find, list_files
from dataset_converters.tables import (
    WHOLE_PATTERN,
    Column,
    Layout,
    read_lines,
    read_table,
    whole,
)

POSITIVE_FROM = 4
NO_GENRES = "(no genres listed)"
# u.genre's order, which is that of the 19 flags at the end of a row of u.item.
FLAGS = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
# "Heat (1995)"; television in the later releases: "Fawlty Towers (1975-1979)", "Fargo (2014-)".
YEAR = re.compile(r"\((\d{4})(?:[-–]\s*(?:\d{4})?)?\s*\)\s*$")
# Whole cells that pandas, and so RecBole, reads as missing.
READ_AS_MISSING = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
     "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)  # fmt: skip

USER_TYPES = dict.fromkeys(("user_id", "age", "gender", "occupation", "zip_code"), "token")
ITEM_TYPES = {"item_id": "token", "movie_title": "token_seq", "release_year": "token"}
GENRE_TYPES = ITEM_TYPES | {"genre": "token_seq"}
CLASS_TYPES = ITEM_TYPES | {"class": "token_seq"}  # RecBole's own name for it in ml-100k
STARS = whole("rating", low=1, high=5)
HALF_STARS = Column("rating", "a number from 0.5 to 5 as rating", pl.Float64, low=0.5, high=5)


def rating_layout(separator: str, rating: Column, header: tuple[str, ...] | None = None) -> Layout:
    """User, movie, rating, time."""
    columns = (whole("user_id"), whole("item_id"), rating, whole("timestamp"))
    return Layout(columns, separator, header)


def read(inputs: list[Path], bad_rows: BadRows, disk: Disk) -> RawDataset:
    """Read whichever MovieLens release ``inputs`` (one folder or archive) holds.

    Raises:
        ConversionError: If it is none, or malformed.
    """
    if len(inputs) != 1:
        raise ConversionError(f"--input: found {len(inputs)} paths, expected one for movielens")
    source = inputs[0]
    files = list_files(source, ("ratings.dat", "users.dat", "tags.dat", "u.data", "ratings.csv"))
    if find(files, "ratings.dat"):
        if find(files, "users.dat"):
            return read_1m(source, bad_rows, disk)
        if find(files, "tags.dat"):
            return read_10m(source, bad_rows, disk)
        raise ConversionError(
            f"{source}: found no users.dat, expected it (ml-1m) or tags.dat (ml-10m) beside "
            "ratings.dat"
        )
    if find(files, "u.data"):
        return read_100k(source, bad_rows, disk)
    return read_csv(source, bad_rows, disk)


def read_1m(source: Path, bad_rows: BadRows, disk: Disk) -> RawDataset:
    """ml-1m: ``::`` between cells, titles in latin-1."""
    raw = locate(source, ("ratings.dat", "users.dat", "movies.dat"), "movielens", disk)
    inter, n_read = read_table(raw["ratings.dat"], rating_layout("::", STARS), bad_rows)

    def user(cells: list[str]) -> list[str | None]:
        number, gender, age, occupation, zip_code = cells
        return [number, token(age), token(gender), token(occupation), token(zip_code)]

    users = TextFile(raw["users.dat"], "::", 5, "latin-1").read(user, USER_TYPES, bad_rows)
    items = TextFile(raw["movies.dat"], "::", 3, "latin-1").read(movie, GENRE_TYPES, bad_rows)
    return dataset("ml-1m", inter, n_read, users, items)


def read_10m(source: Path, bad_rows: BadRows, disk: Disk) -> RawDataset:
    """ml-10m: ``::`` between cells, UTF-8, half stars, no user features."""
    raw = locate(source, ("ratings.dat", "movies.dat"), "movielens", disk)
    inter, n_read = read_table(raw["ratings.dat"], rating_layout("::", HALF_STARS), bad_rows)
    file = TextFile(raw["movies.dat"], "::", 3, "utf-8")
    return dataset("ml-10m", inter, n_read, None, file.read(movie, GENRE_TYPES, bad_rows))


def read_100k(source: Path, bad_rows: BadRows, disk: Disk) -> RawDataset:
    """ml-100k: tabs in u.data, ``|`` in u.user and u.item, genres as 19 flags, latin-1."""
    raw = locate(source, ("u.data", "u.user", "u.item"), "movielens", disk)
    inter, n_read = read_table(raw["u.data"], rating_layout("\t", STARS), bad_rows)

    def user(cells: list[str]) -> list[str | None]:
        return [cells[0], *map(token, cells[1:])]

    def film(cells: list[str]) -> list[str | None]:
        number, title, flags = cells[0], cells[1], cells[5:]
        if set(flags) - {"0", "1"}:
            raise ValueError("19 genre flags, each 0 or 1, at the end")
        genres = [name for name, flag in zip(FLAGS, flags) if flag == "1"]
        return [number, *split_year(title), sequence(genres)]

    users = TextFile(raw["u.user"], "|", 5, "latin-1").read(user, USER_TYPES, bad_rows)
    n_cells = 5 + len(FLAGS)
    items = TextFile(raw["u.item"], "|", n_cells, "latin-1").read(film, CLASS_TYPES, bad_rows)
    return dataset("ml-100k", inter, n_read, users, items)


def read_csv(source: Path, bad_rows: BadRows, disk: Disk) -> RawDataset:
    """ml-20m, 25m, 32m, latest, latest-small: CSV in UTF-8, half stars, no user features."""
    raw = locate(source, ("ratings.csv", "movies.csv"), "movielens", disk)
    header = ("userId", "movieId", "rating", "timestamp")
    inter, n_read = read_table(raw["ratings.csv"], rating_layout(",", HALF_STARS, header), bad_rows)

    file = TextFile(raw["movies.csv"], ",", 3, "utf-8", ("movieId", "title", "genres"))
    return dataset("ml-csv", inter, n_read, None, file.read(movie, GENRE_TYPES, bad_rows))


def movie(cells: list[str]) -> list[str | None]:
    """Id, title with year, and genres, as in every release but ml-100k."""
    number, title, genres = cells
    names = [] if genres == NO_GENRES else genres.split("|")
    return [number, *split_year(title), sequence(names)]


def dataset(
    layout: str, inter: pl.DataFrame, n_read: int, user: Table | None, item: Table
) -> RawDataset:
    """What all releases have in common."""
    return RawDataset(
        layout=layout,
        protocols=(layout, "ml-1m"),
        inter=inter,
        inter_read=n_read,
        value=pl.col("rating"),
        value_name="rating",
        threshold=POSITIVE_FROM,
        user=user,
        item=item,
        keep_all_items=True,
    )


@dataclass(frozen=True)
class TextFile:
    """A small feature file with free text in it, read row by row.

    Attributes:
        separator: ``,`` means CSV, with quotes.
        encoding: As published; UTF-8 is read as well.
    """

    file: RawFile
    separator: str
    n_columns: int
    encoding: str
    header: tuple[str, ...] | None = None

    def read(
        self,
        parse: Callable[[list[str]], list[str | None]],
        types: dict[str, str],
        bad_rows: BadRows,
    ) -> Table:
        """Read the file; ``parse`` turns the cells of a row into the columns ``types``."""
        rows: list[tuple[int | str | None, ...]] = []

        def take(line: int, text: str) -> None:
            if line == 1 and self.header is not None:
                expected = self.separator.join(self.header)
                if text != expected:
                    raise ConversionError(
                        f"{self.file}, line 1: found {shorten(text)}, "
                        f"expected the header {expected!r}"
                    )
                return
            try:
                number, *rest = parse(self.split(text))
                if not WHOLE_PATTERN.fullmatch(number or ""):
                    raise ValueError("a whole number as id")
                rows.append((int(number or ""), *rest))
            except ValueError as error:
                bad_rows.reject(str(self.file), line, text, str(error))

        n_read = read_lines(self.file, self.encoding, bad_rows, take) - (self.header is not None)
        if not n_read:
            raise ConversionError(f"{self.file}: found no rows below the header, expected some")
        key, *rest = types
        schema = {key: pl.Int64, **dict.fromkeys(rest, pl.String)}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return features(frame, n_read, types, unused=("zip_code",))

    def split(self, text: str) -> list[str]:
        """The cells of a row.

        Raises:
            ValueError: If there are not ``n_columns``.
        """
        if self.separator == ",":
            try:
                cells = next(csv.reader([text], strict=True), [])
            except csv.Error:
                cells = []
        else:
            cells = text.split(self.separator)
        if len(cells) != self.n_columns:
            raise ValueError(f"{self.n_columns} columns separated by {self.separator!r}")
        return cells


def token(text: str) -> str | None:
    """A single token, blanks folded; None (unknown) where there is none."""
    return " ".join(text.split()) or None


def sequence(tokens: Iterable[str]) -> str | None:
    """Tokens separated by a space; a token with spaces in it keeps together by ``_``.

    >>> sequence(["Film Noir", "Drama"])
    'Film_Noir Drama'
    """
    text = " ".join("_".join(token.split()) for token in tokens if token.strip())
    # A space at the end keeps RecBole's reader from taking a film called "None" for missing.
    return f"{text} " if text in READ_AS_MISSING else text or None


def split_year(title: str) -> tuple[str | None, str | None]:
    """The words of a title without the year, and the (first) year of release.

    >>> split_year("Father of the Bride Part II (1995)")
    ('Father of the Bride Part II', '1995')
    """
    match = YEAR.search(title)
    words = (title[: match.start()] if match else title).split()
    return sequence(words), match[1] if match else None
