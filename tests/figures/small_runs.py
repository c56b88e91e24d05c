"""A run of every method on ml-100k, in seconds, and what has become of its figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset, load_unless_kept
from recbole_mwuf.errors import UserError
from recbole_mwuf.files import write_json
from recbole_mwuf.quick_start import execute
from recbole_mwuf.registry import warm_up_methods
from recbole_mwuf.versions import FIGURES_VERSION, versions

FILE = Path(__file__).with_name("small_runs.json")
HOW = "python -m tests.figures"
# what tables show: from the fifth decimal on, another processor or torch rounds differently
DECIMALS = 4
_BASES = {"MWUF": ("WideDeep", "GRU4Rec"), "MetaEmb": ("DIN",), "DropoutNet": ("FM",)}
_BASES["MeLU"] = ("PNN",)


def run_all() -> dict:
    """The content of :data:`FILE` as it is now."""
    kept: list[ColdStartDataset] = []
    runs = {}
    for method in warm_up_methods():
        for base in _BASES.get(method, ("WideDeep",)):
            quiet = {"show_progress": False, "state": "ERROR"}
            config = Config(method, "ml-100k", config_dict=quiet, base=base)
            load_unless_kept(config, kept)
            result = execute(config, saved=False, data=kept[0])
            runs[f"{method}-{base}"] = {name: getattr(result, name) for name in PARTS}
    made_with = {name: value for name, value in versions().items() if name != "commit"}
    return {"figures_version": FIGURES_VERSION, "made_with": made_with, "runs": runs}


PARTS = ("phases", "base_phases")


def figures_of(result: dict) -> Iterator[tuple[str, float | None]]:
    """``"phases cold next_phase auc" -> value`` of a result."""
    for part in PARTS:
        for phase, protocols in (result[part] or {}).items():
            for protocol, metrics in protocols.items():
                for metric, value in metrics.items():
                    yield f"{part} {phase} {protocol} {metric}", value


def moved(before: dict, now: dict) -> list[str]:
    """Figures of runs that both contents hold and that differ, a line each."""
    lines = []
    for run in sorted(set(before["runs"]) & set(now["runs"])):
        old, new = (dict(figures_of(content["runs"][run])) for content in (before, now))
        for name in sorted(old | new):
            if not _same(old.get(name), new.get(name)):
                lines.append(f"{run} {name}: {old.get(name)} is now {new.get(name)}")
    return lines


def _same(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return round(old - new, DECIMALS) == 0


def problems(before: dict, now: dict) -> list[str]:
    """Why the file and the code do not belong together, a line each; empty if they do."""
    if now["figures_version"] != before["figures_version"]:
        stored, own = before["figures_version"], now["figures_version"]
        return [f"{FILE.name} is of version {stored}, the code of {own}: {HOW}"]
    if differing := moved(before, now):
        return [*differing, "figures moved: raise FIGURES_VERSION in recbole_mwuf/versions.py"]
    if unlike := sorted(set(before["runs"]) ^ set(now["runs"])):
        return [f"{', '.join(unlike)}: in one of {FILE.name} and the code only: {HOW}"]
    return []


def write(now: dict, file: Path = FILE) -> None:
    """Write the figures anew.

    Raises:
        UserError: if they moved and the number did not.
    """
    if file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
        differing = moved(before, now)
        if differing and now["figures_version"] == before["figures_version"]:
            raise UserError("\n".join(problems(before, now)))
    write_json(file, now)
