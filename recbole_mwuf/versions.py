"""Which code and which libraries made a result."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import recbole
import torch

from recbole_mwuf import __version__

# Raised by one whenever a change of the code moves the figures of any run: results of another
# number are not reported as this one's. tests/figures/ tells when it has to be.
FIGURES_VERSION = 2

_ROOT = Path(__file__).resolve().parents[1]


def versions() -> dict[str, str | int]:
    """Versions as a result file holds them; ``commit`` only where the package is a checkout."""
    found: dict[str, str | int] = {
        "recbole_mwuf": __version__,
        "figures": FIGURES_VERSION,
        "recbole": recbole.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pandas": pd.__version__,
    }
    if (commit := _commit()) is not None:
        found["commit"] = commit
    return found


@cache
def _commit() -> str | None:
    """The commit of this checkout, ``-dirty`` if files have changed since; None if it is none."""
    if not (_ROOT / ".git").exists():  # installed, maybe into a folder of someone else's project
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]  # no tags
    # within a hook git names another repository there
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            command, cwd=_ROOT, env=own, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
