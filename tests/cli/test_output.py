"""What a run shows by default, and what only its log file holds."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from recbole_mwuf.config import Config
from recbole_mwuf.logs import discard_log, start_logging, tell
from tests.cli.conftest import ROOT, finish, start

WORDS = [
    "Data set: tiny, 30 users, 11 items, 259 interactions",
    "Split: 4 old items with 171 samples; 5 new items with 3 each in warm-a, warm-b and warm-c "
    "and 30 in test",
    "Pre-training WideDeep on 4 old items",
    "epoch 0 training",
    "Saving base: saved/WideDeep-tiny-base-",
    "Warming up 5 new items with WideDeep alone",
    "warm-a: learning from 15 samples of new items",
    "warm-b: learning from 15 samples of new items",
    "warm-c: learning from 15 samples of new items",
    "Training MWUF on 4 old items as if they were new",
    "epoch 0 training",
    "Warming up 5 new items with MWUF(WideDeep)",
    "warm-a: learning from 15 samples of new items",
    "warm-b: learning from 15 samples of new items",
    "warm-c: learning from 15 samples of new items",
    "Saving model: saved/MWUF-WideDeep-tiny-",
    "Saving result: saved/MWUF-WideDeep-tiny-",
]
ONLY_IN_FILE = ["General Hyper Parameters:", "warm_up_optimizer = continued", "Remain Fields"]


class Run(NamedTuple):
    """A run in a process of its own."""

    output: str
    errors: str
    log: str


def run_in(folder: Path, *arguments: str) -> Run:
    process = start(ROOT / "run_recbole_mwuf.py", *arguments, cwd=folder)
    status, output, errors = finish(process)
    assert status == 0, errors
    (log,) = folder.glob("log/*/*.log")
    return Run(output, errors, log.read_text())


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory, tiny_options) -> Run:
    return run_in(tmp_path_factory.mktemp("run"), *tiny_options)


def test_the_console_tells_in_words_what_is_done(whole_run):
    lines = [line for line in re.split("[\r\n]+", whole_run.errors) if line and "%|" not in line]
    told = [line.partition("INFO")[2].strip() for line in lines]
    assert [line[: len(words)] for line, words in zip(told, WORDS)] == WORDS
    assert len(told) == len(WORDS)
    assert not any(text in whole_run.errors for text in ONLY_IN_FILE)


def test_progress_is_shown(whole_run):
    assert all(f"{name} 0" in whole_run.errors for name in ("Pre-train", "Meta-train", "warm_a"))


def test_standard_output_is_the_table(whole_run):
    head, *rows = whole_run.output.splitlines()
    assert head.split() == ["cold", "warm-a", "warm-b", "warm-c"]
    assert {row.split()[0] for row in rows} == {"next_phase", "fixed_test"}


def test_the_log_file_has_the_settings_and_every_metric(whole_run):
    assert [whole_run.log.count(text) for text in ONLY_IN_FILE] == [1, 1, 1]
    assert all(words in whole_run.log for words in WORDS)
    metrics = re.findall(r"INFO  (cold|warm_[abc]): \{'next_phase': \{'auc'", whole_run.log)
    assert metrics == ["cold", "warm_a", "warm_b", "warm_c"] * 2  # the base's and the model's
    assert "\033" not in whole_run.log


@pytest.mark.slow
def test_debug_shows_everything(tmp_path, tiny_options):
    found = run_in(tmp_path, *tiny_options, "--state=DEBUG")
    assert all(text in found.errors for text in [*ONLY_IN_FILE, "{'next_phase': {'auc'"])


@pytest.mark.slow
def test_a_state_above_info_is_silent(tmp_path, tiny_options):
    quiet = run_in(tmp_path, *tiny_options, "--state=WARNING", "--show_progress=False")
    assert quiet.errors == ""


@pytest.fixture
def new_process(monkeypatch):
    """Called in a test: logging and streams are as in a new process; pytest's come back."""

    def call() -> None:
        root = logging.getLogger()
        monkeypatch.setattr(root, "handlers", [])
        monkeypatch.setattr(root, "level", root.level)
        monkeypatch.setattr("recbole_mwuf.logs._of_last_run", [])
        monkeypatch.setattr(sys, "stdout", sys.stdout)  # RecBole wraps them
        monkeypatch.setattr(sys, "stderr", sys.stderr)

    return call


def logs() -> list[str]:
    return [file.read_text() for file in sorted(Path("log").rglob("*.log"))]


def test_every_run_has_its_own_log_and_state(new_process, capsys):
    new_process()
    for model, state in (("DCN", "ERROR"), ("FM", "INFO"), ("MWUF", "WARNING")):
        start_logging(Config(model, config_dict={"state": state}))
        tell("Hello", model)
    assert "Hello FM" in capsys.readouterr().err
    dcn, fm, mwuf = logs()
    assert (dcn, mwuf) == ("", "")
    assert fm.endswith("Hello FM\n")
    assert len(logging.getLogger().handlers) == 2


def test_many_runs_in_a_process_still_print(new_process, capsys):
    """RecBole wraps the standard output in every run; 300 layers are too many for Python."""
    new_process()
    config = Config("FM", config_dict={"state": "ERROR"})
    for _ in range(300):
        start_logging(config)
    print("still here")
    assert capsys.readouterr().out == "still here\n"


def test_an_applications_logging_is_left_alone(new_process):
    new_process()
    own = logging.NullHandler()
    logging.getLogger().addHandler(own)
    start_logging(Config("FM"))
    assert logging.getLogger().handlers == [own]
    assert not Path("log").exists()


def test_a_run_that_has_not_begun_leaves_no_log(new_process):
    new_process()
    start_logging(Config("FM"))
    assert len(logs()) == 1
    discard_log()
    tell("Hello", "nobody")
    assert not Path("log").exists()
