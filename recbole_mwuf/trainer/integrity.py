"""What a checkpoint must be before anything is made of it: undamaged, complete, finite."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, BinaryIO

import torch
from torch import Tensor

from recbole_mwuf.data import ItemState
from recbole_mwuf.errors import UserError

# what each kind of checkpoint holds beside `kind` and `schema`
_COMMON: dict[str, type] = {"vocabulary": str, "fingerprint": dict, "state_dict": dict}
FIELDS: Mapping[str, Mapping[str, type]] = {
    "base": {**_COMMON, "model": str, "trained_for": str, "early_stopped": bool},
    "warm_up": {
        **_COMMON,
        **{"model": str, "base": str, "settings": dict, "catalog": dict, "items": dict},
        **{"optimizer": list, "events": Tensor},
    },
}
_CATALOG = {"fields": dict, "item_num": int, "user_features": dict, "item_features": dict}
_ITEMS: dict[str, type] = {field.name: Tensor for field in fields(ItemState)}
_MAY_BE_INFINITE = ("items.last_time",)  # before the first interaction
_FIELD: dict[str, type] = {"type": str, "source": str, "tokens": list}
_FINGERPRINT = dict.fromkeys(("data", "split", "labels", "features", "held_out"), str)


def check_archive(file: BinaryIO) -> None:
    """Compare the checksum of everything in a torch archive; torch itself does not.

    Without this, four in ten files with a flipped bit load and give other scores.

    Raises:
        ValueError: if something differs.
        zipfile.BadZipFile: if it is no archive, or cut off.
    """
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    file.seek(0)
    if damaged is not None:
        raise ValueError(f"its part '{damaged}' is damaged (checksum)")


def check_fields(content: Mapping, kind: str, name: str) -> None:
    """Refuse a checkpoint of ours that lacks something or holds it in another type.

    Args:
        content: What the file holds.
        kind: ``base`` or ``warm_up``.
        name: What the message calls the file.

    Raises:
        UserError: naming the field.
    """
    _require(content, FIELDS[kind], name)
    _require(content["fingerprint"], _FINGERPRINT, f"{name}: fingerprint")
    if kind == "warm_up":
        _require(content["catalog"], _CATALOG, f"{name}: catalog")
        for field, described in content["catalog"]["fields"].items():
            _require(described, _FIELD, f"{name}: field {field}")
        _require(content["items"], _ITEMS, f"{name}: items")
        n_items = content["catalog"]["item_num"]
        for field, values in content["items"].items():
            if len(values) != n_items:
                raise UserError(f"{name}: items: {field} is for {len(values)}, not {n_items} items")


def _require(content: Mapping, wanted: Mapping[str, type], name: str) -> None:
    for field, kind in wanted.items():
        if field not in content:
            raise UserError(f"{name} is incomplete: there is no '{field}'")
        if not isinstance(content[field], kind):
            found = type(content[field]).__name__
            raise UserError(f"{name}: '{field}' is a {found}, but must be a {kind.__name__}")


def check_numbers(content: Mapping[str, Any], name: str) -> None:
    """Refuse parameters that are no numbers: every score would be wrong, and none would say so.

    Args:
        content: Has ``state_dict``; of a warm-up model also ``optimizer`` and ``items``.
        name: What the message calls the file.

    Raises:
        UserError: naming the parameter.
    """
    for where in ("state_dict", "optimizer", "items"):
        for parameter, tensor in _tensors(content.get(where), where):
            if parameter in _MAY_BE_INFINITE:
                continue
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise UserError(f"{name} cannot be used: {parameter} holds NaN or infinite values")


def _tensors(content: Any, path: str) -> list[tuple[str, Tensor]]:
    """All tensors in nested dicts and lists, by a path such as ``state_dict.weight``."""
    if isinstance(content, Tensor):
        return [(path, content)]
    inside: Any = ()
    if isinstance(content, Mapping):
        inside = content.items()
    elif isinstance(content, (list, tuple)):
        inside = enumerate(content)
    return [found for key, value in inside for found in _tensors(value, f"{path}.{key}")]
