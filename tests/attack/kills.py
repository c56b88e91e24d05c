"""Processes that are killed: what was finished stays, nothing is half-written."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from tests.attack.cases import Case
from tests.conftest import ROOT, TINY


def cases(data_path: str, rounds: int) -> Iterator[Case]:
    """A run that is killed at a random moment, some with Ctrl-C."""
    draw = random.Random(2)
    for i in range(8 * rounds):
        moment = draw.uniform(0.2, 6.0)
        how = signal.SIGKILL if i % 2 else signal.SIGINT
        title = f"{how.name} after {moment:.1f} s"
        yield Case(title, lambda m=moment, h=how, n=i: _kill(data_path, m, h, f"killed{n}"))


def _kill(data_path: str, moment: float, how: signal.Signals, folder: str) -> bool:
    settings = {**TINY, "data_path": data_path, "dataset": "tiny", "checkpoint_dir": folder}
    settings |= {"result_path": f"{folder}/result.json", "epochs": 30}
    given = [f"--{name}={value}" for name, value in settings.items()]
    command = [sys.executable, str(ROOT / "run_recbole_mwuf.py"), *given]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(moment)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    if "Traceback" in errors:
        return False
    if how is signal.SIGINT and process.returncode not in (0, 130, -signal.SIGINT):
        return False
    for file in Path(folder).glob("*") if Path(folder).is_dir() else []:
        if file.suffix == ".pth":
            torch.load(file, weights_only=True)
        elif file.suffix == ".json":
            json.loads(file.read_text())
        elif how is signal.SIGINT and not file.name.startswith("events."):
            return False  # a temporary file was left
    os.environ.pop("NOTHING", None)
    return True
