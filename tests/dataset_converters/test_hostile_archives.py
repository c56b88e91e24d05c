"""Archives that unpack to more than memory or disk can take are refused early."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import namedtuple
from pathlib import Path
from typing import NamedTuple

import pytest

from dataset_converters import ConversionError, disk

REPOSITORY = Path(__file__).resolve().parents[2]
MB = 1 << 20


class Ended(NamedTuple):
    """How a command ended, and what it took."""

    code: int
    error: str
    seconds: float
    peak_mb: float


# The peak is read in the process itself: getrusage's is inherited from the one that started it.
MEASURED = """
import sys
from pathlib import Path
from dataset_converters.cli import main
code = main(sys.argv[1:])
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
sys.exit(code)
"""


def run_measured(source: Path, target: Path, *more: str) -> Ended:
    """Convert in a process of its own."""
    command = [sys.executable, "-c", MEASURED, "movielens"]
    command += ["--input", str(source), "--output", str(target), *more]
    start = time.perf_counter()
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    return Ended(done.returncode, done.stderr, seconds, int(done.stdout.split()[-1]) / 1024)


def write_bomb(path: Path, n_mb: int) -> None:
    """A zip of ml-1m whose second rating is a line of so many MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        with archive.open("ml-1m/ratings.dat", "w") as file:
            file.write(b"1::2::3::4\n")
            for _ in range(n_mb):
                file.write(b"1" * MB)
        archive.writestr("ml-1m/users.dat", "1::F::1::10::1\n")
        archive.writestr("ml-1m/movies.dat", "2::Heat (1995)::Drama\n")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_huge_line_is_refused_before_it_is_in_memory(tmp_path):
    write_bomb(tmp_path / "bomb.zip", 128)
    assert (tmp_path / "bomb.zip").stat().st_size < MB / 4
    # Not even when malformed rows are skipped: the next newline may be gigabytes away.
    ended = run_measured(tmp_path / "bomb.zip", tmp_path / "out", "--on_error", "skip")
    assert ended.code != 0
    assert ended.error == (
        f"error: {tmp_path}/bomb.zip!ml-1m/ratings.dat, line 2: found a line of more than 131,072 "
        "bytes, the limit; expected one row a line (is it the file as published?)\n"
    )
    assert ended.seconds < 20  # 0.5 s on a machine at rest
    assert ended.peak_mb < 250  # 130 MB; 370 MB before there was a limit
    assert not (tmp_path / "out").exists()


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free_space(monkeypatch):
    """Set how many bytes the disk has free, those that are never taken aside."""

    def pretend(n_bytes: int) -> None:
        usage = Usage(1 << 40, 0, n_bytes + disk.SPARE_BYTES)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    return pretend


def unpacked_size(folder: Path) -> int:
    return sum((folder / f"{name}.dat").stat().st_size for name in ("ratings", "users", "movies"))


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_an_archive_that_does_not_fit_unpacked(run, ml_1m_raw, tmp_path, free_space, suffix):
    (ml_1m_raw / "README").write_text("is not read" * 9999)
    kind = {"zip": "zip", "tar.gz": "gztar"}[suffix]
    archive = Path(shutil.make_archive(str(tmp_path / "ml"), kind, ml_1m_raw))
    needed = unpacked_size(ml_1m_raw)
    free_space(needed - 1)
    message = (
        rf"{re.escape(str(archive))}: unpacked, its files take {disk.in_mb(needed)}, but the disk "
        rf"at /\S* has {disk.in_mb(needed + disk.SPARE_BYTES - 1)} free .* another --output"
    )
    with pytest.raises(ConversionError, match=message):
        run("movielens", archive)
    assert not (tmp_path / "out").exists()
    free_space(needed)
    assert len(run("movielens", archive).rows("inter")) == 600


def test_rounds_must_fit_together(run, cikm_raw, tmp_path, free_space):
    first = Path(shutil.make_archive(str(tmp_path / "first"), "zip", cikm_raw))
    second = Path(shutil.copy(first, tmp_path / "second.zip"))
    one = sum(path.stat().st_size for path in cikm_raw.iterdir())
    free_space(2 * one - 1)
    run("cikm2019", first, min_item_count=0)
    with pytest.raises(ConversionError, match=rf"second.zip: .* take {disk.in_mb(2 * one)}"):
        run("cikm2019", first, second, min_item_count=0, name="both")


def test_a_zip_that_lies_about_a_size(run, ml_1m_raw, tmp_path):
    """No more is read than is claimed; then the checksum is wrong."""
    archive = Path(shutil.make_archive(str(tmp_path / "ml"), "zip", ml_1m_raw))
    size = (ml_1m_raw / "ratings.dat").stat().st_size
    true, false = struct.pack("<L", size), struct.pack("<L", 20)
    content = archive.read_bytes()
    assert content.count(true) == 2  # before the file and in the archive's directory
    archive.write_bytes(content.replace(true, false))
    message = r"ml.zip!ratings.dat: cannot be read beyond line \d+: Bad CRC-32"
    with pytest.raises(ConversionError, match=message):
        run("movielens", archive)
    assert not (tmp_path / "out").exists()


def test_a_tar_that_claims_petabytes(run, tmp_path):
    with tarfile.open(tmp_path / "ml.tar", "w") as tar:
        member = tarfile.TarInfo("ratings.dat")
        tar.addfile(member)
        member.size = 1 << 50
        tar.fileobj.write(member.tobuf())
    message = "ml.tar: not a readable archive: ratings.dat claims to have 1,125,899,906,842,624 by"
    with pytest.raises(ConversionError, match=message):
        run("movielens", tmp_path / "ml.tar")


def test_what_tells_no_size_stops_before_the_disk_is_full(run, ml_1m_raw, tmp_path, free_space):
    """A .gz: nobody knows what it unpacks to until it is read."""
    for path in list(ml_1m_raw.glob("*.dat")):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    free_space(10_000)
    message = r"out.inter: the next 600 rows take 0.0 MB, but the disk at /\S* has .* free"
    with pytest.raises(ConversionError, match=message):
        run("movielens", ml_1m_raw)
    assert sorted(os.listdir(tmp_path)) == ["ml-1m-raw"]
