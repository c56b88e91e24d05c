"""The data sets' N and K, whose home is ``properties/dataset``, and the file for a new data set."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml


def properties_folder() -> Path | None:
    """``properties/dataset`` of the checkout or of the installed package; None if neither is there.

    The package is only looked up, not imported: that would load torch.
    """
    candidates = [Path(__file__).resolve().parent.parent]
    spec = find_spec("recbole_mwuf")
    candidates += map(Path, (spec.submodule_search_locations or ()) if spec else ())
    folders = (candidate / "properties" / "dataset" for candidate in candidates)
    return next((folder for folder in folders if folder.is_dir()), None)


def protocol(*names: str) -> dict[str, int]:
    """``old_item_threshold`` (N) and ``phase_size`` (K) of the first data set that has a file.

    Empty if none has.
    """
    folder = properties_folder()
    for name in names:
        path = folder / f"{name}.yaml" if folder else None
        if path and path.is_file():
            settings = yaml.safe_load(path.read_text(encoding="utf-8"))
            return {key: settings[key] for key in ("old_item_threshold", "phase_size")}
    return {}


def dataset_settings(
    columns: Mapping[str, list[str]], threshold: Mapping[str, float] | None, nk: Mapping[str, int]
) -> dict[str, Any]:
    """RecBole settings that fit the atomic files written.

    Args:
        columns: The columns to load, by suffix (inter, user, item).
        threshold: The field that becomes the label, and from which value on it is positive; None:
            the label is in the file, or there is none.
        nk: ``old_item_threshold`` and ``phase_size``, or nothing.
    """
    settings: dict[str, Any] = {
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "LABEL_FIELD": "label",
    }
    if threshold is not None:
        settings |= {"RATING_FIELD": "rating", "threshold": dict(threshold)}
    return settings | {"load_col": dict(columns)} | dict(nk)
