"""Ctrl-C, SIGTERM and SIGKILL at any moment: one line at most, and no data set by halves."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset_converters import Options, convert, output
from tests.dataset_converters import raw_layouts

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "dataset_converters"]


def start(command: list[str], **variables: str) -> subprocess.Popen[str]:
    """Start a command that hears SIGINT, also where the tests run in the background."""
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the process has made the file."""
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    assert path.exists()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with an earlier output ``out``, and nothing else."""
    raw_layouts.write_ml_1m(tmp_path / "raw", rows=60)
    (tmp_path / "home").mkdir()
    convert(Options("movielens", [tmp_path / "raw"], tmp_path / "home" / "out"))
    return tmp_path / "home"


def arguments(home: Path) -> list[str]:
    """Convert once more."""
    source, target = str(home.parent / "raw"), str(home / "out")
    return ["movielens", "--input", source, "--output", target, "--overwrite"]


@pytest.mark.parametrize(
    ("sent", "code", "word"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
)
def test_while_polars_is_imported(home, tmp_path, sent, code, word):
    package = tmp_path / "slow" / "polars"
    package.mkdir(parents=True)
    reached = tmp_path / "reached"
    slow = f"import time; open({str(reached)!r}, 'w'); time.sleep(60)"
    (package / "__init__.py").write_text(slow)
    process = start(COMMAND + arguments(home), PYTHONPATH=str(package.parent))
    wait_for(reached, process)
    process.send_signal(sent)
    assert process.communicate(timeout=30) == ("", word)
    assert process.returncode == code


# Sends itself SIGINT at a call of a function: the argv[1]-th one in the converter's files.
AT_A_CALL = """
import os, signal, sys
from dataset_converters import signals
signals.end_at_signals()
from dataset_converters import cli
folder, left = os.path.dirname(cli.__file__), int(sys.argv[1])
def count(frame, event, argument):
    global left
    if event in ("call", "return") and frame.f_code.co_filename.startswith(folder):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
sys.setprofile(count)
code = cli.main(sys.argv[2:])
sys.setprofile(None)
print("calls", -left)
sys.exit(code)
"""


def test_at_any_call(home):
    earlier = {path.name: path.read_bytes() for path in (home / "out").iterdir()}
    done = start([sys.executable, "-c", AT_A_CALL, "0", *arguments(home)])
    n_calls = int(done.communicate()[0].split()[-1])
    assert n_calls > 100
    # The first and last calls are those of the command line and of the folder.
    moments = [*range(1, 40, 5), *range(40, n_calls - 40, n_calls // 8)]
    for moment in [*moments, *range(n_calls - 39, n_calls, 5)]:
        process = start([sys.executable, "-c", AT_A_CALL, str(moment), *arguments(home)])
        assert process.communicate() == ("", "interrupted\n"), moment
        assert process.returncode == 130
        assert os.listdir(home) == ["out"], moment
        # The input is the same as before, so whole is equal, be it the earlier one or the new.
        assert {path.name: path.read_bytes() for path in (home / "out").iterdir()} == earlier


def test_an_ignored_signal_stays_ignored(home):
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);"
    code += "from dataset_converters import signals; signals.end_at_signals();"
    code += "signal.raise_signal(signal.SIGINT); print('alive')"
    assert start([sys.executable, "-c", code]).communicate() == ("alive\n", "")


def dead_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(home: Path, kind: str, pid: int) -> Path:
    """What a killed conversion leaves."""
    folder = output.work_folder(home / "out", kind, pid)
    folder.mkdir()
    (folder / "out.inter").write_text(kind)
    return folder


def test_leftovers_of_dead_processes_are_removed(home, tmp_path):
    leave(home, "partial", dead_process())
    leave(home, "previous", dead_process())
    leave(home, "partial", os.getpid())  # a number comes again, in a container above all
    convert(Options("movielens", [tmp_path / "raw"], home / "out", overwrite=True))
    assert os.listdir(home) == ["out"]
    assert (home / "out" / "out.inter").read_text() != "previous"


def test_leftovers_of_others_are_spared(home, tmp_path, monkeypatch):
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    kept = {leave(home, "partial", running.pid).name, ".out.partial-mine", ".outer.partial-1"}
    (home / ".out.partial-mine").touch()
    (home / ".outer.partial-1").touch()
    with monkeypatch.context() as patch:
        patch.setattr(platform, "node", lambda: "another-host")
        kept.add(leave(home, "partial", dead_process()).name)
    convert(Options("movielens", [tmp_path / "raw"], home / "out", overwrite=True))
    running.communicate(b"\n")
    assert set(os.listdir(home)) == kept | {"out"}


def test_killed_between_the_two_renames(home, tmp_path):
    """The earlier output, moved aside by then, comes back before anything else is done."""
    (home / "out").rename(output.work_folder(home / "out", "previous", dead_process()))
    names = sorted(os.listdir(next(home.iterdir())))
    options = Options("movielens", [tmp_path / "nowhere"], home / "out", overwrite=True)
    with pytest.raises(Exception, match="no such file"):
        convert(options)
    assert os.listdir(home) == ["out"]
    assert sorted(os.listdir(home / "out")) == names
