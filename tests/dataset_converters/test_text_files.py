"""Every file that is read: recoded, cut, or not the text that its name says."""

from __future__ import annotations

import gzip
import zipfile

import pytest

from dataset_converters import ConversionError
from tests.dataset_converters.test_malformed_input import WRITERS

EVERY_FILE = [
    ("movielens-1m", "ratings.dat"), ("movielens-1m", "users.dat"), ("movielens-1m", "movies.dat"),
    ("movielens-10m", "ratings.dat"), ("movielens-10m", "movies.dat"),
    ("movielens-100k", "u.data"), ("movielens-100k", "u.user"), ("movielens-100k", "u.item"),
    ("movielens-csv", "ratings.csv"), ("movielens-csv", "movies.csv"),
    ("taobao", "raw_sample.csv"), ("taobao", "ad_feature.csv"), ("taobao", "user_profile.csv"),
    ("cikm2019", "user_behavior.csv"), ("cikm2019", "user.csv"), ("cikm2019", "item.csv"),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "file"), EVERY_FILE)
def test_a_last_line_that_is_cut(run, tmp_path, layout, file):
    WRITERS[layout](tmp_path / "raw")
    path = tmp_path / "raw" / file
    content = path.read_bytes()
    last = content.rstrip(b"\n").split(b"\n")[-1]
    path.write_bytes(content.removesuffix(last + b"\n") + last[: len(last) // 4])
    with pytest.raises(ConversionError, match=rf"{file}, line {content.count(10)}: found .*expec"):
        run(layout.split("-")[0], tmp_path / "raw", min_item_count=0)


def recode(content: bytes, layout: str, encoding: str) -> bytes:
    """The text of a file in another encoding."""
    published = "latin-1" if layout in ("movielens-1m", "movielens-100k") else "utf-8"
    return content.decode(published).encode(encoding)


@pytest.mark.parametrize("change", ["utf-8", "utf-8-sig", "carriage returns", "no last newline"])
@pytest.mark.parametrize(("layout", "file"), EVERY_FILE)
def test_what_editors_do_to_a_file_makes_no_difference(run, tmp_path, layout, file, change):
    WRITERS[layout](tmp_path / "raw")
    before = run(layout.split("-")[0], tmp_path / "raw", min_item_count=0, name="before")
    path = tmp_path / "raw" / file
    content = path.read_bytes()
    if change == "carriage returns":
        path.write_bytes(content.replace(b"\n", b"\r\n"))
    elif change == "no last newline":
        path.write_bytes(content.removesuffix(b"\n"))
    else:
        path.write_bytes(recode(content, layout, change))
    after = run(layout.split("-")[0], tmp_path / "raw", min_item_count=0, name="after")
    for suffix in ("inter", "item"):
        assert after.lines(suffix) == before.lines(suffix)


@pytest.mark.parametrize("kind", ["utf-16", "utf-16-be", "gzip", "zip"])
@pytest.mark.parametrize(("layout", "file"), EVERY_FILE)
def test_what_is_no_text_is_named(run, tmp_path, layout, file, kind):
    WRITERS[layout](tmp_path / "raw")
    path = tmp_path / "raw" / file
    content = path.read_bytes()
    if kind == "gzip":
        path.write_bytes(gzip.compress(content))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x", content)
    else:
        text = recode(content, layout, kind)
        path.write_bytes(b"\xfe\xff" + text if kind == "utf-16-be" else text)
    found = "UTF-16 text, expected UTF-8" if "utf" in kind else f"a {kind} file, expected text"
    with pytest.raises(ConversionError, match=rf"{file}, line 1: found {found}; "):
        run(layout.split("-")[0], tmp_path / "raw", min_item_count=0)
