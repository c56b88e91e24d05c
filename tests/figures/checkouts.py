"""Two checkouts side by side: every method on every base, their figures bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dataset_converters import Options, convert
from tests.conftest import ML_1M
from tests.figures.small_runs import figures_of

METHODS = ("MWUF", "MetaEmb", "DropoutNet", "MeLU")
BASES = ("FM", "WideDeep", "PNN", "DCN", "AFN", "GRU4Rec", "DIN")
SCRIPT = "run_recbole_mwuf.py"


class Pair(NamedTuple):
    """A run that both checkouts do."""

    model: str
    base: str
    dataset: str

    def __str__(self) -> str:
        return "-".join(self)


PAIRS = [
    *(Pair(method, base, "ml-100k") for base in BASES for method in METHODS),
    *(Pair("MWUF", base, "ml-1m") for base in ("WideDeep", "DIN")),
]


def compare(first: Path, second: Path, pairs: list[Pair], keep: Path | None = None) -> int:
    """Print a line for every pair; returns how many pairs do not agree bit for bit.

    Args:
        first: A checkout, or a folder with the result files ``MODEL-BASE-DATASET.json`` of one.
        second: The same.
        pairs: What to run.
        keep: Where the result files stay; None for nowhere.
    """
    n_unlike = 0
    with tempfile.TemporaryDirectory() as scratch:
        for pair in pairs:
            folders = [(keep or Path(scratch)) / side for side in ("first", "second")]
            results = [
                _result(pair, source.resolve(), folder, Path(scratch))
                for source, folder in zip((first, second), folders)
            ]
            unlike = list(differences(*results))
            n_figures = len(dict(figures_of(results[0])))
            told = f"{len(unlike)} of {n_figures} figures differ" if unlike else "bit for bit"
            print(f"{pair}: {told if unlike else f'{n_figures} figures, {told}'}", flush=True)
            print("".join(f"  {line}\n" for line in unlike), end="", flush=True)
            n_unlike += bool(unlike)
    print(f"{len(pairs)} runs, {n_unlike} of them unlike")
    return n_unlike


def differences(first: dict, second: dict) -> Iterator[str]:
    """Figures of two results that are not the same number, a line each."""
    a, b = dict(figures_of(first)), dict(figures_of(second))
    for name in sorted(a | b):
        if name not in a or name not in b or a[name] != b[name]:
            yield f"{name}: {a.get(name)} {b.get(name)}"


def _result(pair: Pair, source: Path, folder: Path, scratch: Path) -> dict:
    """The result of a pair: of a run of a checkout, or from a folder of such results."""
    file = source / f"{pair}.json"
    if (source / SCRIPT).is_file():
        file = folder.resolve() / f"{pair}.json"
        _run(pair, source, file, scratch)
    return json.loads(file.read_text(encoding="utf-8"))


def _run(pair: Pair, checkout: Path, result: Path, scratch: Path) -> None:
    settings = {
        **{"model": pair.model, "base": pair.base, "dataset": pair.dataset},
        **{"state": "ERROR", "show_progress": False, "metric_decimal_place": 17},
        **{"checkpoint_dir": scratch / "saved", "result_path": result},
    }
    if pair.dataset == "ml-1m":
        settings["data_path"] = _ml_1m(scratch)
    result.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, checkout / SCRIPT, *(f"--{n}={value}" for n, value in settings.items())],
        cwd=scratch,
        env={**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _ml_1m(scratch: Path) -> Path:
    """The folder of the converted data set; the published file is not redistributed."""
    folder = scratch / "dataset"
    if not folder.exists():
        convert(Options("movielens", [ML_1M], folder / "ml-1m"))
    return folder
