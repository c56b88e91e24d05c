"""Archives that unpack to more than memory or disk can take are refused early."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

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
