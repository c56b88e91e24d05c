"""What the commands are tried on, and how a shell starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY
from tests.online.conftest import arrive  # noqa: F401  (a fixture)

ROOT = Path(__file__).parents[2]
SHELL = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def start(*command: str | Path, **more) -> subprocess.Popen:
    """A Python command as a shell starts it, in a process group that Ctrl-C hits as a whole."""
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **{"env": {**os.environ, **SHELL}, **more},
    )


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    """Its exit status, what it printed, and what it told."""
    output, errors = process.communicate(timeout=600)
    return process.returncode, output, errors


@pytest.fixture(scope="session")
def tiny_options(tiny_path, tmp_path_factory) -> list[str]:
    """Options of a run on the small data set; it says what it does."""
    file = tmp_path_factory.mktemp("settings") / "tiny.yaml"
    talkative = {"data_path": str(tiny_path), "state": "INFO", "show_progress": True}
    file.write_text(yaml.safe_dump({**TINY, **talkative}))
    return ["--dataset=tiny", f"--config_files={file}"]
