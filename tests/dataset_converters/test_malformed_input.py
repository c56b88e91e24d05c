"""Malformed input stops with file, line and what was expected, or is skipped and counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataset_converters import ConversionError, sources
from tests.dataset_converters import raw_layouts

WRITERS = {
    "movielens-1m": raw_layouts.write_ml_1m,
    "movielens-100k": raw_layouts.write_ml_100k,
    "movielens-10m": raw_layouts.write_ml_10m,
    "movielens-csv": raw_layouts.write_ml_csv,
    "taobao": lambda folder: raw_layouts.write_taobao(
        folder, rows=30, ads=5, profiles=9, users_without_profile=1, copies=0
    ),
    "cikm2019": lambda folder: raw_layouts.write_cikm2019(
        folder, rows=30, items=5, users=9, without_features=0, copies=0
    ),
}

# layout, file, line (from 1), what the line becomes, what the message expects
BAD_LINES = [
    ("movielens-1m", "ratings.dat", 7, b"1::2::3", "4 columns"),
    ("movielens-1m", "ratings.dat", 7, b"1::2::3::4::5", "4 columns"),
    ("movielens-1m", "ratings.dat", 7, b"1,2::3::4", "4 columns"),
    ("movielens-1m", "ratings.dat", 7, b"x::2::3::4", "a whole number from 0 as user_id"),
    ("movielens-1m", "ratings.dat", 7, b"1::2::6::4", "a whole number from 1 as rating"),
    ("movielens-1m", "ratings.dat", 7, b"1::2::3::noon", "whole number from 0 as timestamp"),
    ("movielens-1m", "ratings.dat", 7, b"", "4 columns"),
    ("movielens-1m", "users.dat", 3, b"3::M::25::1", "5 columns"),
    ("movielens-1m", "movies.dat", 3, b"x::Heat (1995)::Drama", "a whole number as id"),
    ("movielens-100k", "u.data", 2, b"1 2 3 4", "4 columns"),
    ("movielens-100k", "u.user", 2, b"1|2", "5 columns"),
    ("movielens-100k", "u.item", 2, b"2|B|c|d|e|" + b"|".join([b"2"] * 19), "19 genre flags"),
    ("movielens-100k", "u.item", 2, b"2|B|c|d|e|0|1", "24 columns"),
    ("movielens-10m", "ratings.dat", 2, b"1::2::5.5::4", "a number from 0.5 to 5 as rating"),
    ("movielens-10m", "ratings.dat", 2, b"1::2::3,5::4", "a number from 0.5 to 5 as rating"),
    ("movielens-10m", "movies.dat", 5, b"4::Am\xe9lie (2001)::Drama", "utf-8 text"),
    ("movielens-10m", "movies.dat", 5, b"4::Heat (1995)", "3 columns"),
    ("movielens-csv", "ratings.csv", 2, b"1,2,0,4", "a number from 0.5 to 5 as rating"),
    ("movielens-csv", "ratings.csv", 2, b"1,2,nan,4", "a number from 0.5 to 5 as rating"),
    ("movielens-csv", "movies.csv", 5, b'4,"Heat (1995),Drama', "3 columns"),
    ("movielens-csv", "movies.csv", 5, b"4,Am\xe9lie (2001),Drama", "utf-8 text"),
    ("taobao", "raw_sample.csv", 9, b"1,1494000000,5,430548_1007,1", "6 columns"),
    ("taobao", "raw_sample.csv", 9, b"1,1494000000,5,430548_1007,1,0,", "6 columns"),
    ("taobao", "raw_sample.csv", 9, b"1,1494000000,5,430548_1007,0,2", "0 or 1 as clk"),
    ("taobao", "raw_sample.csv", 9, b"1,1494000000,5,430548_1007,1,1", "either clk or nonclk"),
    ("taobao", "raw_sample.csv", 9, b"1,yesterday,5,430548_1007,1,0", "number from 0 as timestamp"),
    ("taobao", "raw_sample.csv", 9, b"1,-5,5,430548_1007,1,0", "number from 0 as timestamp"),
    ("taobao", "raw_sample.csv", 9, b"1,1494000000,5,\xff\xfe,1,0", "utf-8 text"),
    ("taobao", "raw_sample.csv", 9, b"1,1494000000,,430548_1007,1,0", "number from 0 as item_id"),
    ("taobao", "raw_sample.csv", 9, b"1,1494000000,99999999999999999999,a,1,0", "as item_id"),
    ("taobao", "ad_feature.csv", 3, b"5,1,2,3,NULL,cheap", "a number from 0, NULL or blank"),
    (
        "taobao",
        "ad_feature.csv",
        3,
        b"5,1,2,3,nike,9.5",
        "a whole number or blank or NULL as brand",
    ),
    ("taobao", "user_profile.csv", 3, b"5,1,2,3,4,5,6,7", "9 columns"),
    ("cikm2019", "user_behavior.csv", 4, b"1,2,look,3", "pv, buy, cart, fav as behavior"),
    ("cikm2019", "user_behavior.csv", 4, b"1,2,,3", "pv, buy, cart, fav as behavior"),
    ("cikm2019", "user_behavior.csv", 4, b"1,2,pv,3.5", "number from 0 as timestamp"),
    ("cikm2019", "user_behavior.csv", 4, b"1,2,pv", "4 columns"),
    ("cikm2019", "item.csv", 2, b"1,2,3", "4 columns"),
    ("cikm2019", "user.csv", 2, b"1,woman,3,4", "a whole number or blank as gender"),
]


def damage(folder: Path, file: str, line: int, text: bytes) -> None:
    """Replace one line of a file."""
    lines = (folder / file).read_bytes().split(b"\n")
    lines[line - 1] = text
    (folder / file).write_bytes(b"\n".join(lines))


@pytest.mark.parametrize(("layout", "file", "line", "text", "expected"), BAD_LINES)
def test_stops_with_file_line_and_what_was_expected(
    run, tmp_path, layout, file, line, text, expected
):
    WRITERS[layout](tmp_path / "raw")
    damage(tmp_path / "raw", file, line, text)
    message = rf"{re.escape(file)}, line {line}: found .*expected .*{re.escape(expected)}"
    with pytest.raises(ConversionError, match=message):
        run(layout.split("-")[0], tmp_path / "raw", min_item_count=0)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize(
    ("layout", "file", "text"),
    [
        ("movielens-1m", "ratings.dat", b"?"),  # not to be parsed
        ("movielens-1m", "ratings.dat", b"1::2::9::4"),  # to be parsed, but out of range
        ("movielens-1m", "users.dat", b"?"),
        ("taobao", "raw_sample.csv", b"?"),
    ],
)
def test_line_number_in_a_later_block(run, tmp_path, monkeypatch, layout, file, text):
    monkeypatch.setattr(sources, "BLOCK_BYTES", 100)
    WRITERS[layout](tmp_path / "raw")
    damage(tmp_path / "raw", file, 29, text)
    with pytest.raises(ConversionError, match=f"{re.escape(file)}, line 29: "):
        run(layout.split("-")[0], tmp_path / "raw", min_item_count=0)


@pytest.mark.parametrize(("layout", "file", "line", "text", "expected"), BAD_LINES)
def test_skips_and_counts(run, tmp_path, layout, file, line, text, expected):
    WRITERS[layout](tmp_path / "raw")
    n_rows = (tmp_path / "raw" / file).read_bytes().count(b"\n")
    damage(tmp_path / "raw", file, line, text)
    out = run(layout.split("-")[0], tmp_path / "raw", min_item_count=0, skip_bad_rows=True)
    path = str(tmp_path / "raw" / file)
    assert out.report["malformed"] == {path: 1}
    assert f"line {line}: " in out.report["first_malformed"][path]
    headers = {"ratings.dat": 0, "u.data": 0, "ratings.csv": 1, "raw_sample.csv": 1}
    if file in headers:
        assert out.report["read"]["inter"] == n_rows - headers[file]
        assert out.report["written"]["inter"] == n_rows - headers[file] - 1


def test_skipping_leaves_the_other_rows_as_they_were(run, tmp_path):
    WRITERS["taobao"](tmp_path / "raw")
    whole = run("taobao", tmp_path / "raw", min_item_count=0, name="whole").rows("inter")
    damage(tmp_path / "raw", "raw_sample.csv", 9, b"1,2")
    damage(tmp_path / "raw", "raw_sample.csv", 12, b"1,1494000000,5,430548_1007,1,1")
    out = run("taobao", tmp_path / "raw", min_item_count=0, skip_bad_rows=True)
    assert out.rows("inter") == whole[:7] + whole[8:10] + whole[11:]
    first = out.report["first_malformed"][str(tmp_path / "raw" / "raw_sample.csv")]
    assert "line 9: found '1,2'" in first


def test_skipping_has_a_limit(run, tmp_path):
    WRITERS["cikm2019"](tmp_path / "raw")
    for line in (3, 4, 5):
        damage(tmp_path / "raw", "user_behavior.csv", line, b"?")
    options = {"min_item_count": 0, "skip_bad_rows": True}
    out = run("cikm2019", tmp_path / "raw", max_errors=3, **options)
    assert out.report["written"]["inter"] == 27
    with pytest.raises(ConversionError, match=r"more than 2 malformed rows .*line 5: found '\?'"):
        run("cikm2019", tmp_path / "raw", max_errors=2, name="other", **options)


def test_nothing_sound_left(run, tmp_path):
    WRITERS["cikm2019"](tmp_path / "raw")
    (tmp_path / "raw" / "user_behavior.csv").write_text("?\n?\n")
    with pytest.raises(ConversionError, match="no sound interaction"):
        run("cikm2019", tmp_path / "raw", min_item_count=0, skip_bad_rows=True)


@pytest.mark.parametrize(
    ("layout", "file"),
    [("movielens-1m", "users.dat"), ("taobao", "ad_feature.csv"), ("cikm2019", "user.csv")],
)
def test_empty_file(run, tmp_path, layout, file):
    WRITERS[layout](tmp_path / "raw")
    (tmp_path / "raw" / file).write_bytes(b"")
    with pytest.raises(ConversionError, match=f"{file}, line 1: found an empty file"):
        run(layout.split("-")[0], tmp_path / "raw", min_item_count=0)


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("taobao", "raw_sample.csv"),
        ("taobao", "ad_feature.csv"),
        ("movielens-csv", "ratings.csv"),
        ("movielens-csv", "movies.csv"),
    ],
)
def test_header_only(run, tmp_path, layout, file):
    WRITERS[layout](tmp_path / "raw")
    path = tmp_path / "raw" / file
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n")
    with pytest.raises(ConversionError, match=rf"{file}: found no rows below the header"):
        run(layout.split("-")[0], tmp_path / "raw")


@pytest.mark.parametrize(
    ("layout", "file"), [("taobao", "user_profile.csv"), ("movielens-csv", "movies.csv")]
)
def test_another_header(run, tmp_path, layout, file):
    WRITERS[layout](tmp_path / "raw")
    damage(tmp_path / "raw", file, 1, b"id,name")
    with pytest.raises(ConversionError, match=rf"{file}, line 1: found 'id,name', expected the h"):
        run(layout.split("-")[0], tmp_path / "raw")


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("movielens-1m", "users.dat"),
        ("movielens-10m", "movies.dat"),
        ("movielens-csv", "movies.csv"),
        ("taobao", "user_profile.csv"),
        ("cikm2019", "item.csv"),
    ],
)
def test_missing_file(run, tmp_path, layout, file):
    WRITERS[layout](tmp_path / "raw")
    (tmp_path / "raw" / file).unlink()
    with pytest.raises(ConversionError, match=rf"raw: found no {file}, expected "):
        run(layout.split("-")[0], tmp_path / "raw")


def test_missing_input(run, tmp_path):
    with pytest.raises(ConversionError, match="nowhere: no such file or folder"):
        run("taobao", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("layout", "command", "right"),
    [
        ("movielens-1m", "taobao", "movielens"),
        ("movielens-csv", "cikm2019", "movielens"),
        ("taobao", "movielens", "taobao"),
        ("cikm2019", "taobao", "cikm2019"),
    ],
)
def test_another_data_set(run, tmp_path, layout, command, right):
    WRITERS[layout](tmp_path / "raw")
    with pytest.raises(ConversionError, match=f"those of the sub-command {right}$"):
        run(command, tmp_path / "raw")


@pytest.mark.parametrize("command", ["movielens", "taobao"])
def test_one_input_only(run, tmp_path, command):
    with pytest.raises(ConversionError, match="found 2 paths, expected one"):
        run(command, tmp_path, tmp_path)


@pytest.mark.parametrize("block_bytes", [1000, 1 << 20])
def test_the_longest_line(run, tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(sources, "BLOCK_BYTES", block_bytes)
    WRITERS["movielens-1m"](tmp_path / "raw")
    film = b"3::%s (1995)::Drama"
    title = b"x" * (sources.LINE_BYTES - len(film % b""))
    damage(tmp_path / "raw", "movies.dat", 3, film % title)
    assert run("movielens", tmp_path / "raw").rows("item")[2][1] == title.decode()
    damage(tmp_path / "raw", "movies.dat", 3, film % (title + b"x"))
    with pytest.raises(ConversionError, match=r"movies.dat, line 3: found a line of more than 131"):
        run("movielens", tmp_path / "raw", name="other")
