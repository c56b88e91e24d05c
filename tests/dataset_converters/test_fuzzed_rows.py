"""Rows made by hypothesis come out as they went in, or are refused with file and line."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataset_converters import ConversionError, Options, convert, tables
from dataset_converters.errors import BadRows
from dataset_converters.movielens import READ_AS_MISSING
from dataset_converters.sources import Block, RawFile
from tests.dataset_converters.converted import Converted

WORKPLACE = tempfile.TemporaryDirectory()  # removed when the tests end
# An example takes as long as a small conversion, more on a busy machine.
whole_conversions = settings(deadline=None, max_examples=60)
ids = st.integers(0, 2**53)
# Cells that are nearly right: what a careless reader takes for something else.
near = st.sampled_from(
    ["", " ", "NULL", "null", "0", "1", "2", "-1", "+1", "007", " 5", "1.0", "1e3", "nan", "inf",
     "x", "1_0", "٣", "9" * 16, "9" * 30, "pv", "buy", "PV", '"1"', "0x1", "1\r", "\x00", "é",
     "\ufeff1"]
)  # fmt: skip
cells = st.one_of(
    ids.map(str), near, st.text(st.characters(codec="utf-8", exclude_characters=",\n"), max_size=4)
)


def convert_files(converter: str, files: dict[str, bytes], **options) -> Converted | str:
    """Convert the files; gives what was written, or why it was refused."""
    folder = Path(tempfile.mkdtemp(dir=WORKPLACE.name))
    (folder / "raw").mkdir()
    for name, content in files.items():
        (folder / "raw" / name).write_bytes(content)
    options = {"min_item_count": 0} | options
    try:
        convert(Options(converter, [folder / "raw"], folder / "out", **options))
    except ConversionError as error:
        assert not (folder / "out").exists()
        return str(error)
    return Converted(folder / "out")


def table(rows: list[list[str]], separator: str = ",", header: str | None = None) -> bytes:
    lines = [separator.join(row) for row in rows]
    return "".join(f"{line}\n" for line in ([header] if header else []) + lines).encode()


SAMPLE = "user,time_stamp,adgroup_id,pid,nonclk,clk"
AD = "adgroup_id,cate_id,campaign_id,customer,brand,price"
PROFILE = (
    "userid,cms_segid,cms_group_id,final_gender_code,age_level,pvalue_level,shopping_level,"
    "occupation,new_user_class_level "
)
TAOBAO = {
    "raw_sample.csv": f"{SAMPLE}\n1,2,3,a_b,1,0\n".encode(),
    "ad_feature.csv": f"{AD}\n3,1,1,1,1,1.0\n".encode(),
    "user_profile.csv": f"{PROFILE}\n1,1,1,1,1,1,1,1,1\n".encode(),
}
CIKM = {"user_behavior.csv": b"1,2,pv,3\n", "user.csv": b"1,1,1,1\n", "item.csv": b"2,1,1,1\n"}


@whole_conversions
@given(st.lists(st.tuples(ids, ids, ids, st.booleans()), min_size=1, max_size=8))
def test_sound_taobao_rows(rows):
    raw = [[str(u), str(t), str(i), "a_b", str(1 - c), str(int(c))] for u, t, i, c in rows]
    out = convert_files("taobao", TAOBAO | {"raw_sample.csv": table(raw, header=SAMPLE)})
    assert out.rows("inter") == [[u, i, clk, t] for u, t, i, _, _, clk in raw]


prices = st.floats(0, 1e15).map(repr)
optional = st.one_of(ids.map(str), st.sampled_from(["", "NULL"]))


@whole_conversions
@given(st.dictionaries(ids, st.tuples(*[optional] * 4, prices), min_size=1, max_size=5))
def test_sound_taobao_ads(ads):
    raw = [[str(number), *rest] for number, rest in ads.items()]
    out = convert_files("taobao", TAOBAO | {"ad_feature.csv": table(raw, header=AD)})
    written = [row for row in out.rows("item") if row[0] != "3" or 3 in ads]
    assert [row[:5] for row in written] == [
        ["" if cell == "NULL" else cell for cell in row[:5]] for row in raw
    ]
    assert [float(row[5]) for row in written] == [float(row[5]) for row in raw]


@whole_conversions
@given(
    st.lists(
        st.tuples(ids, ids, st.sampled_from(["pv", "buy", "cart", "fav"]), ids),
        min_size=1,
        max_size=8,
    )
)
def test_sound_cikm_rows(rows):
    raw = [[str(u), str(i), b, str(t)] for u, i, b, t in rows]
    out = convert_files("cikm2019", CIKM | {"user_behavior.csv": table(raw)})
    assert out.rows("inter") == [[u, i, str(int(b == "buy")), t] for u, i, b, t in raw]


@whole_conversions
@given(st.lists(st.lists(cells, min_size=3, max_size=5), min_size=1, max_size=4))
@example([["1", "2", "pv", "3"], ["1", "2", "pv", "3", "4"]])
@example([["1", "2", "pv"], ["1", "2", "pv", "3", "4"]])  # the right number of commas in all
@example([["1", "2", "pv", "3\r"]])
def test_any_cikm_rows(rows):
    content = b"9,9,pv,9\n" + table(rows)
    out = convert_files("cikm2019", CIKM | {"user_behavior.csv": content})
    bad_lines = {line for line, row in enumerate(rows, 2) if not is_behavior(row)}
    if bad_lines:
        refusal = re.search(r"user_behavior.csv, line (\d+): found .*, expected .", out, re.DOTALL)
        assert int(refusal[1]) in bad_lines
    else:
        assert [[float(cell) for cell in row] for row in out.rows("inter")[1:]] == [
            [float(u), float(i), float(b == "buy"), float(t)] for u, i, b, t in rows
        ]


def is_behavior(row: list[str]) -> bool:
    """Whether a row is user, item, behaviour, seconds."""
    row = [*row[:-1], row[-1].removesuffix("\r")]
    return (
        len(row) == 4
        and row[2] in {"pv", "buy", "cart", "fav"}
        and all(
            re.fullmatch(r"[ \t\r]*\+?[0-9]{1,18}[ \t\r]*", cell) and int(cell) <= 2**53
            for cell in (row[0], row[1], row[3])
        )
    )


texts = st.text(st.characters(exclude_characters="\n\r", max_codepoint=255), max_size=12)
# "Ã©" is read as UTF-8; no title has such a thing.
words = texts.filter(lambda t: ":" not in t and tables.decode(t.encode("latin-1"), "latin-1") == t)


@whole_conversions
@given(st.dictionaries(ids, st.tuples(words, words, words, words), min_size=1, max_size=4))
@example({1: ("NULL", "nan", '"', "\t")})
@example({1: ("\x85", "\xa0 ", '""', "a\tb")})
def test_ml_1m_users(users):
    raw = [[str(number), *rest] for number, rest in users.items()]
    files = {
        "ratings.dat": b"1::2::3::4\n",
        "movies.dat": b"2::Heat (1995)::Drama\n",
        "users.dat": "".join(f"{'::'.join(row)}\n" for row in raw).encode("latin-1"),
    }
    out = convert_files("movielens", files)
    expected = [[n, *map(seen, (age, gender, job, code))] for n, gender, age, job, code in raw]
    assert read_as_recbole_does(out, "user")[: len(expected)] == expected


def seen(text: str) -> str:
    """A token as it should be read: blanks folded, unknown where pandas takes it for missing."""
    return "" if (text := " ".join(text.split())) in READ_AS_MISSING else text


names = st.text(st.characters(codec="utf-8", exclude_characters="(\n\r"), max_size=12)


@whole_conversions
@given(st.dictionaries(ids, st.tuples(names, st.booleans()), min_size=1, max_size=4))
@example({1: ("None", True), 2: ('"Great" Cats', True), 3: ('"', False)})
def test_ml_csv_titles(titles):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["movieId", "title", "genres"])
    for number, (title, dated) in titles.items():
        writer.writerow([number, f"{title} (1995)" if dated else title, "Film Noir|Drama"])
    ratings = b"userId,movieId,rating,timestamp\n1,2,3.5,4\n"
    files = {"ratings.csv": ratings, "movies.csv": text.getvalue().encode()}
    out = convert_files("movielens", files)
    rows = [
        [number, [word for word in title.split(" ") if word], year, genres]
        for number, title, year, genres in read_as_recbole_does(out, "item")
    ]
    assert rows[: len(titles)] == [
        [str(number), title.split(), "1995" if dated else "", "Film_Noir Drama"]
        for number, (title, dated) in titles.items()
    ]


def read_as_recbole_does(out: Converted, suffix: str) -> list[list[str]]:
    """The rows as ``recbole.data.dataset.Dataset._load_feat`` reads them, missing ones as ''."""
    path = out.folder / f"out.{suffix}"
    frame = pd.read_csv(path, delimiter="\t", dtype=str, encoding="utf-8", engine="python")
    return frame.fillna("").to_numpy().tolist()


columns = (tables.whole("a"), tables.optional_whole("b", "NULL"), tables.choice("c", "pv", "buy"))


@settings(deadline=None, max_examples=300)
@example([("0", "1\r", "\t1")])
@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=6))
def test_both_ways_of_parsing_agree(rows):
    layout = tables.Layout(columns)
    block = Block(1, len(rows), table([list(row) for row in rows]))
    fast = tables.parse_fast(layout, block)
    if fast is None:
        return
    bad_rows = BadRows(skip=True)
    slow, lines = tables.parse_by_line(RawFile(Path("x")), layout, block, bad_rows)
    assert fast.rows() == slow.rows()
    assert lines == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("text", ["1", "007", "1.5", ".5", "1e3", "-2", "+2", "NULL", ""])
def test_a_number_is_the_same_in_both_ways(text):
    column = tables.Column("a", "a number", pl.Float64, missing=("", "NULL"))
    layout = tables.Layout((column, tables.whole("b")))
    fast = tables.parse_fast(layout, Block(1, 1, f"{text},1\n".encode()))
    assert fast.rows() == [(column.parse(text), 1)]


@whole_conversions
@given(st.dictionaries(ids, st.tuples(*[st.none() | ids] * 8), min_size=1, max_size=5))
def test_sound_taobao_profiles(profiles):
    raw = [
        [str(user), *("" if c is None else str(c) for c in rest)] for user, rest in profiles.items()
    ]
    out = convert_files("taobao", TAOBAO | {"user_profile.csv": table(raw, header=PROFILE)})
    assert out.rows("user")[: len(raw)] == raw


@pytest.mark.parametrize(("file", "suffix"), [("user.csv", "user"), ("item.csv", "item")])
@whole_conversions
@given(features=st.dictionaries(ids, st.tuples(*[st.none() | ids] * 3), min_size=1, max_size=5))
def test_sound_cikm_features(file, suffix, features):
    raw = [[str(n), *("" if c is None else str(c) for c in rest)] for n, rest in features.items()]
    out = convert_files("cikm2019", CIKM | {file: table(raw)})
    assert out.rows(suffix)[: len(raw)] == raw


ML_1M = {"users.dat": b"1::F::1::10::1\n", "movies.dat": b"2::Heat (1995)::Drama\n"}
ML_10M = {"tags.dat": b"", "movies.dat": b"2::Heat (1995)::Drama\n"}
ML_100K = {
    "u.user": b"1|24|M|technician|85711\n",
    "u.item": f"2|Heat (1995)|01-Jan-1995||url|{'|'.join('0' * 19)}\n".encode(),
}
ML_CSV = {"movies.csv": b"movieId,title,genres\n2,Heat (1995),Drama\n"}
RATINGS = [
    ("ratings.dat", "::", None, ML_1M),
    ("ratings.dat", "::", None, ML_10M),
    ("u.data", "\t", None, ML_100K),
    ("ratings.csv", ",", "userId,movieId,rating,timestamp", ML_CSV),
]


@pytest.mark.parametrize(("file", "separator", "header", "others"), RATINGS)
@whole_conversions
@given(rows=st.lists(st.tuples(ids, ids, st.integers(1, 5), ids), min_size=1, max_size=8))
def test_sound_ratings(file, separator, header, others, rows):
    raw = [list(map(str, row)) for row in rows]
    out = convert_files("movielens", others | {file: table(raw, separator, header)})
    written = [[u, i, float(r), float(t)] for u, i, r, t in out.rows("inter")]
    assert written == [[u, i, float(r), float(t)] for u, i, r, t in raw]


FILES = [
    ("taobao", "raw_sample.csv", ",", TAOBAO),
    ("taobao", "ad_feature.csv", ",", TAOBAO),
    ("taobao", "user_profile.csv", ",", TAOBAO),
    ("cikm2019", "user.csv", ",", CIKM),
    ("cikm2019", "item.csv", ",", CIKM),
    ("movielens", "ratings.dat", "::", ML_1M | {"ratings.dat": b"1::2::3::4\n"}),
    ("movielens", "u.data", "\t", ML_100K | {"u.data": b"1\t2\t3\t4\n"}),
    ("movielens", "u.user", "|", ML_100K | {"u.data": b"1\t2\t3\t4\n"}),
    ("movielens", "u.item", "|", ML_100K | {"u.data": b"1\t2\t3\t4\n"}),
]
SUFFIX = {"raw_sample.csv": "inter", "ratings.dat": "inter", "u.data": "inter"}


@pytest.mark.parametrize(("converter", "file", "separator", "files"), FILES)
@settings(deadline=None, max_examples=30)
@given(row=st.lists(cells, min_size=3, max_size=10))
def test_any_row_is_read_or_refused_with_file_and_line(converter, file, separator, files, row):
    """No other failure, and no row that is lost without a word."""
    lines = files[file].count(b"\n")
    content = files[file] + separator.join(row).encode() + b"\n"
    out = convert_files(converter, files | {file: content})
    if isinstance(out, str):
        assert re.search(rf"{re.escape(file)}, line {lines + 1}\b", out), out
    else:
        suffix = SUFFIX.get(file, "user" if "user" in file or "profile" in file else "item")
        sound = lines - (1 if converter == "taobao" else 0)
        if suffix == "inter":
            assert len(out.rows(suffix)) == sound + 1
        else:  # the row may repeat an id; then the first one counts
            assert sound <= len(out.rows(suffix))
