"""Files that appear whole or not at all: full disks, dead processes, threads, exclusive names."""

import errno
import os
import platform
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn

from recbole_mwuf.errors import UserError
from recbole_mwuf.files import _remove_leftovers, atomic_write, reserved, set_aside, write_json

HOST = re.sub(r"[^\w-]", "-", platform.node())


@pytest.fixture(autouse=True)
def first_write():
    """Each test is a process that has not looked for leftovers yet."""
    _remove_leftovers.cache_clear()


@pytest.fixture
def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_leftovers_of_dead_processes_are_removed_and_no_others(dead_process):
    mine = f".a.json.{HOST}.{os.getpid()}.1.part"
    kept = [
        mine,
        f".a.json.other-host.{dead_process}.1.part",
        ".notes.part",
        "a.part",
        ".b.reserved",
    ]
    gone = [f".a.json.{HOST}.{dead_process}.1.part", f".x.y-z.pth.{HOST}.{dead_process}.7.part"]
    for name in [*kept, *gone]:
        Path(name).touch()
    Path(".c.reserved").write_text(f"{HOST}.{dead_process}.1")
    Path(".d.reserved").write_text(f"{HOST}.{os.getpid()}.1")
    write_json("new.json", {})
    assert {file.name for file in Path().iterdir()} == {*kept, ".d.reserved", "new.json"}


def test_threads_do_not_share_a_temporary_file():
    together = threading.Barrier(8)

    def write(i):
        with atomic_write("same.txt") as part:
            part.write_text(str(i))
            together.wait()
            assert part.read_text() == str(i)
            together.wait()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert [file.name for file in Path().iterdir()] == ["same.txt"]


def test_a_full_disk_names_the_file_and_the_disk():
    """/dev/full refuses every write as a full disk does; torch tells it in an error of its own."""
    write_json("old.pth", {})
    for write in (lambda file: file.write(b"x" * 10**6), lambda file: torch.save(big(), file)):
        refused = pytest.raises(UserError, match=r"cannot write 'old.pth': its disk is full .* MiB")
        with refused, atomic_write("old.pth"), open("/dev/full", "wb") as file:
            write(file)
    assert [file.name for file in Path().iterdir()] == ["old.pth"]
    assert Path("old.pth").read_text() == "{}\n"


def big() -> dict:
    return {"weight": nn.Embedding(1000, 100).weight.detach()}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_other_errors_stay_what_they_are(number):
    with pytest.raises(OSError, match="something else"), atomic_write("a.json"):
        raise OSError(number, "something else")


def test_a_folder_that_cannot_be_made_is_one_clear_line():
    Path("file").touch()
    with pytest.raises(UserError, match=r"cannot make the folder 'file/in': Not a directory"):
        write_json("file/in/a.json", {})


def test_names_are_exclusive_and_nothing_stays():
    with reserved("out", "seed1-noon") as first, reserved("out", "seed1-noon") as second:
        assert (first, second) == ("seed1-noon", "seed1-noon-2")
        Path("out", f"MWUF-{first}.pth").touch()
    with reserved("out", "seed1-noon") as third:  # the first has written its file, the second none
        assert third == "seed1-noon-2"
    with pytest.raises(KeyError), reserved("out", "seed2-noon"):
        raise KeyError
    assert [file.name for file in Path("out").iterdir()] == ["MWUF-seed1-noon.pth"]


def test_many_at_once_get_a_name_each():
    together = threading.Barrier(16)

    def name(_):
        with reserved("out", "seed1-noon") as found:
            together.wait()
            return found

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(name, range(16)))) == 16
    assert not list(Path("out").iterdir())


def test_set_aside():
    Path("a.json").write_text("half")
    assert set_aside("a.json") == Path("a.json.damaged")
    assert Path("a.json.damaged").read_text() == "half"
    assert not Path("a.json").exists()
