"""The program as a whole: what it is told, how it is interrupted, how it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_mwuf.cli import main
from recbole_mwuf.cli.status import exit_status, loading
from recbole_mwuf.trainer import WarmUpTrainer
from tests.cli.conftest import ROOT, finish, start

# Ctrl-C as soon as torch is imported
INTERRUPTED_IMPORT = """
import os, signal, sys

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
from recbole_mwuf.cli import main
sys.exit(main(["--epochs=1"]))
"""


def test_the_arguments_count_not_those_of_the_process(tiny_options, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", "--model=DIN", "--learning_rate=.1"])
    given = ["--model=FM", "--learning_rate=0.5", "--result_path=r.json", "--show_progress=False"]
    assert main(["run", *given, *tiny_options]) == 0
    result = json.loads(Path("r.json").read_text())
    assert (result["model"], result["config"]["learning_rate"]) == ("FM", 0.5)
    assert sys.argv == ["x", "--model=DIN", "--learning_rate=.1"]


def test_those_of_the_process_count_if_there_are_no_others(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x", "--epochs=two"])
    assert main() == 2
    assert "epochs is 'two'" in capsys.readouterr().err


def test_ctrl_c_while_libraries_are_imported(tmp_path):
    status, output, errors = finish(start("-c", INTERRUPTED_IMPORT, cwd=tmp_path))
    assert (status, output, errors) == (130, "", "interrupted\n")
    assert not list(tmp_path.iterdir())


def test_loading_waits_for_the_first_ctrl_c_only():
    steps = []
    with pytest.raises(KeyboardInterrupt), loading():
        signal.raise_signal(signal.SIGINT)
        steps.append("loaded")
    with pytest.raises(KeyboardInterrupt), loading():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        steps.append("never")
    assert steps == ["loaded"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_loading_leaves_a_handler_of_others(monkeypatch):
    """As nohup's, or a notebook's own."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with loading():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupted_run_says_how_to_go_on(tiny_options, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(WarmUpTrainer, "run_phases", interrupted)
    assert main([*tiny_options, "--show_progress=False"]) == 130
    (base,) = Path("saved").iterdir()
    expected = f"interrupted; to continue from here: --pretrained_base={base}\n"
    assert capsys.readouterr().err == expected


def interrupt(process: subprocess.Popen, after: str) -> list[str]:
    """Ctrl-C as soon as a run has said something; returns what it says from then on."""
    lines = iter(process.stderr.readline, "")
    assert any(after in line for line in lines)
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(timeout=600) == 130
    return [line for line in rest.splitlines() if line and "INFO" not in line]


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--nproc=2"]])
def test_ctrl_c_while_a_run_trains(tiny_options, more):
    quiet = ["--epochs=1000000", "--show_progress=False"]
    process = start(ROOT / "run_recbole_mwuf.py", *tiny_options, *quiet, *more)
    assert interrupt(process, "epoch 1 training") == ["interrupted"]
    assert process.stdout.read() == ""
    assert not list(Path("saved").iterdir())


@pytest.mark.slow
def test_a_mistake_in_the_data_is_one_line_from_two_processes(tiny_options):
    process = start(ROOT / "run_recbole_mwuf.py", *tiny_options, "--phase_size=7", "--nproc=2")
    status, output, errors = finish(process)
    assert (status, output) == (2, "")
    (line,) = errors.splitlines()
    assert line.startswith("error: old_item_threshold=20 (N) and phase_size=7 (K) leave no new")


def test_a_mistake_in_the_data_leaves_nothing(tiny_options, tmp_path):
    script = ROOT / "run_recbole_mwuf.py"
    status, output, errors = finish(start(script, *tiny_options, "--phase_size=7"))
    assert (status, output) == (2, "")
    (line,) = errors.splitlines()
    assert line.startswith("error: old_item_threshold=20 (N) and phase_size=7 (K) leave no new")
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_gone_is_no_error():
    read, write = os.pipe()
    os.close(read)
    script = ROOT / "run_recbole_mwuf.py"
    done = subprocess.run(
        [sys.executable, script, "--help"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def fail(error: BaseException):
    raise error


def test_exit_status_and_line_of_any_failure(capsys):
    def outcome(error, *arguments):
        status = exit_status(lambda: fail(error), arguments)
        return status, capsys.readouterr().err

    where = "(--state=DEBUG shows where it happened)"
    assert outcome(RuntimeError("a\nb")) == (1, f"error: RuntimeError: a b {where}\n")
    assert outcome(KeyboardInterrupt()) == (130, "interrupted\n")
    assert outcome(SystemExit(0)) == (0, "")
    for debug in (["--state=DEBUG"], ["--state", "debug"]):
        with pytest.raises(RuntimeError):
            outcome(RuntimeError("a"), *debug)
