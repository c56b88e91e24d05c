"""Raw files are found and read wherever a download leaves them."""

from __future__ import annotations

import gzip
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from dataset_converters import ConversionError
from dataset_converters.sources import Block, RawFile, find, list_files
from dataset_converters.tables import Layout, parse_fast, whole

NAMES = ("raw_sample.csv", "ad_feature.csv", "user_profile.csv")


def gzip_each(folder: Path, target: Path) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        (target / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    return target


def tar_each(folder: Path, target: Path) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        with tarfile.open(target / f"{path.name}.tar.gz", "w:gz") as tar:
            tar.add(path, path.name)
    return target


def zip_each(folder: Path, target: Path) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        with zipfile.ZipFile(target / f"{path.stem}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, f"inner/{path.name}")
    return target


def one_tar(folder: Path, target: Path) -> Path:
    target = target.with_suffix(".tar.gz")
    with tarfile.open(target, "w:gz") as tar:
        tar.add(folder, "data")
    return target


def one_zip(folder: Path, target: Path) -> Path:
    return Path(shutil.make_archive(str(target), "zip", folder.parent, folder.name))


def subfolder(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target / "ad")
    return target


@pytest.mark.parametrize("pack", [gzip_each, tar_each, zip_each, one_tar, one_zip, subfolder])
def test_packing_makes_no_difference(run, taobao_raw, tmp_path, pack):
    plain = run("taobao", taobao_raw, min_item_count=0, name="a")
    packed = run("taobao", pack(taobao_raw, tmp_path / "packed"), min_item_count=0, name="b")
    for suffix in ("inter", "user", "item"):
        assert packed.lines(suffix) == plain.lines(suffix)


def test_windows_line_ends_and_no_newline_at_the_end(run, taobao_raw):
    plain = run("taobao", taobao_raw, min_item_count=0, name="a")
    for path in taobao_raw.iterdir():
        path.write_bytes(path.read_bytes().removesuffix(b"\n").replace(b"\n", b"\r\n"))
    other = run("taobao", taobao_raw, min_item_count=0, name="b")
    for suffix in ("inter", "user", "item"):
        assert other.lines(suffix) == plain.lines(suffix)


def test_unpacked_beside_the_archive_is_not_ambiguous(taobao_raw, tmp_path):
    for path in tar_each(taobao_raw, tmp_path / "packed").iterdir():
        shutil.move(path, taobao_raw)
    assert find(list_files(taobao_raw, NAMES), NAMES[0]) == RawFile(taobao_raw / NAMES[0])


def test_archives_with_other_names_are_not_opened(tmp_path):
    (tmp_path / "behavior_log.csv.tar.gz").write_bytes(b"not an archive")
    assert list_files(tmp_path, NAMES) == []


def test_two_of_a_kind_are_refused(tmp_path, taobao_raw):
    shutil.copytree(taobao_raw, tmp_path / "in" / "a")
    shutil.copytree(taobao_raw, tmp_path / "in" / "b")
    with pytest.raises(ConversionError, match=r"raw_sample.csv: found .*in/a.* and .*in/b"):
        find(list_files(tmp_path / "in", NAMES), "raw_sample.csv")


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_damaged_archive(run, tmp_path, name):
    (tmp_path / name).write_bytes(b"PK not really")
    with pytest.raises(ConversionError, match=f"{re.escape(name)}: not a readable archive"):
        run("taobao", tmp_path / name)


def test_truncated_download(run, taobao_raw, tmp_path):
    packed = gzip_each(taobao_raw, tmp_path / "packed")
    path = packed / "raw_sample.csv.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ConversionError, match=r"raw_sample.csv.gz: cannot be read beyond line \d+"):
        run("taobao", packed)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pack", [None, gzip_each, tar_each, zip_each])
def test_progress_counts_all_bytes(taobao_raw, tmp_path, pack, monkeypatch):
    from dataset_converters import sources

    bars = []

    class Bar:
        def __init__(self, total, **options):
            self.total, self.n = total, 0
            bars.append(self)
            assert options["unit"] == "B"

        def update(self, n):
            assert n >= 0
            self.n += n

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(sources, "tqdm", Bar)
    monkeypatch.setattr(sources, "BLOCK_BYTES", 1000)
    folder = pack(taobao_raw, tmp_path / "packed") if pack else taobao_raw
    file = find(list_files(folder, NAMES), "raw_sample.csv")
    assert (
        b"".join(block.data for block in file.blocks())
        == (taobao_raw / "raw_sample.csv").read_bytes()
    )
    assert 0 < bars[0].total == bars[0].n


def test_byte_order_mark(run, taobao_raw):
    plain = run("taobao", taobao_raw, min_item_count=0, name="a")
    for path in taobao_raw.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    other = run("taobao", taobao_raw, min_item_count=0, name="b")
    for suffix in ("inter", "user", "item"):
        assert other.lines(suffix) == plain.lines(suffix)


def test_byte_order_mark_elsewhere_is_no_part_of_a_number():
    block = Block(9, 1, b"\xef\xbb\xbf1,2\n")
    assert parse_fast(Layout((whole("a"), whole("b"))), block) is None
