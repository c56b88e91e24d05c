"""What data hold, as short texts: equal only if the contents are, whatever library read them."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from recbole_mwuf.data.split import VALIDATION

_ATOMIC = ("inter", "user", "item")  # endings of the files that a data set is loaded from
_BLOCK = 2**22  # bytes that are read at a time


def files_digest(folder: str | Path, name: str, more_endings: Iterable[str] = ()) -> str | None:
    """A digest of a data set's atomic files, without loading them.

    A file is read once in a process, unless its size or time of change differ later.

    Args:
        folder: Holds the files.
        name: Of the data set.
        more_endings: As in RecBole's ``additional_feat_suffix``.

    Returns:
        str | None: 16 hexadecimal digits; None if there is no ``.inter`` file.
    """
    endings = {f".{ending}" for ending in (*_ATOMIC, *more_endings)}
    found = sorted(Path(folder).glob(f"{glob.escape(name)}.*"))
    files = [file for file in found if file.suffix in endings and file.is_file()]
    if not any(file.suffix == ".inter" for file in files):
        return None
    digest = hashlib.sha256()
    for file in files:
        state = file.stat()
        content = _file_digest(file.resolve(), state.st_size, state.st_mtime_ns)
        digest.update(f"{file.name.removeprefix(name)} {content}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _file_digest(file: Path, size: int, changed: int) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def vocabulary(fields: Any) -> str:
    """A digest of the users and items behind the IDs, so that rows are not mixed up.

    Args:
        fields: A data set, or what stands in for it: has ``uid_field``, ``iid_field`` and
            ``field2id_token``.
    """
    digest = hashlib.sha256()
    for field in (fields.uid_field, fields.iid_field):
        _add_tokens(digest, fields.field2id_token[field])
    return digest.hexdigest()


def fingerprint(dataset: Any) -> dict[str, str]:
    """What a split data set holds, in parts that :func:`differences` compares.

    Args:
        dataset: A :class:`~recbole_mwuf.data.dataset.ColdStartDataset`.

    Returns:
        dict: 16 hexadecimal digits by part. ``data``: user, item and time of every interaction.
        Of the old items, which a base is pre-trained on: ``split``, their rows; ``labels``.
        ``features``: of users and items, and of the old items' interactions. ``held_out``: the
        held-out items' rows.
    """
    inter, split = dataset.inter_feat, dataset.split
    names = (dataset.uid_field, dataset.iid_field, dataset.label_field)
    users, items, labels = (inter[name].cpu().numpy() for name in names)
    columns = (users, items, dataset.times)
    old, held_out = split.rows("old"), split.rows(VALIDATION)
    return {
        "data": _digest(*columns),
        "split": _digest(*(column[old] for column in columns)),
        "labels": _digest(labels[old]),
        "features": _features(dataset, old),
        "held_out": _digest(*(column[held_out] for column in columns)),
    }


def differences(trained_on: dict, own: dict, early_stopped: bool) -> list[str]:
    """What of the data that a base was trained on is not this run's, as far as it matters.

    Only old items' rows do: the phase size, for one, may be another. If they are the same, no row
    that is scored has been trained on.

    Args:
        trained_on: The base's fingerprint.
        own: This run's fingerprint.
        early_stopped: Whether the base was also chosen by the held-out items.

    Returns:
        list: the parts that differ; empty if the base may be used.

    Examples:
        >>> one = {"data": "a", "split": "b", "labels": "c", "features": "d", "held_out": "e"}
        >>> differences(one, {**one, "data": "x", "held_out": "x"}, False)
        []
        >>> differences(one, {**one, "split": "x", "labels": "x"}, False)
        ['split']
        >>> differences(one, {**one, "data": "x", "split": "x", "labels": "x"}, False)
        ['data']
        >>> differences(one, {**one, "labels": "x", "features": "x"}, False)
        ['labels', 'features']
    """
    if trained_on["split"] != own["split"]:
        return ["split" if trained_on["data"] == own["data"] else "data"]
    parts = ["held_out"] if early_stopped else []
    return [part for part in (*parts, "labels", "features") if trained_on[part] != own[part]]


def _features(dataset: Any, old: np.ndarray) -> str:
    """Every column that a model may read, but users, items, labels and times."""
    digest = hashlib.sha256()
    others = {dataset.uid_field, dataset.iid_field, dataset.label_field, dataset.time_field}
    for source in ("inter", "user", "item"):
        feat = getattr(dataset, f"{source}_feat")
        for name in sorted(set(feat.interaction) - others) if feat is not None else ():
            column = feat[name].cpu().numpy()
            digest.update(f"{source} {name}\n".encode())
            _add(digest, column[old] if source == "inter" else column)
            _add_tokens(digest, dataset.field2id_token.get(name, ()))
    return digest.hexdigest()[:16]


def _digest(*columns: np.ndarray) -> str:
    digest = hashlib.sha256()
    for column in columns:
        _add(digest, column)
    return digest.hexdigest()[:16]


def _add(digest: Any, column: np.ndarray) -> None:
    """Numbers as 64 bits, the low byte first, whatever type and order they have in memory."""
    kind = "<f8" if column.dtype.kind == "f" else "<i8"
    digest.update(f"{kind} {column.shape}\n".encode())
    digest.update(np.ascontiguousarray(column, dtype=kind))


def _add_tokens(digest: Any, tokens: Iterable) -> None:
    texts = [str(token) for token in tokens]
    digest.update(f"{len(texts)} tokens\n".encode())
    digest.update("\0".join(texts).encode())
