"""Checkpoints that hold tensors and plain values only, and bases trained elsewhere."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable
from enum import Enum
from logging import getLogger
from pathlib import Path
from typing import Any, BinaryIO

import torch
from recbole.config import Config as RecBoleConfig
from torch import nn

from recbole_mwuf.data import Catalog, ColdStartDataset, ItemState
from recbole_mwuf.data.fingerprint import differences, vocabulary
from recbole_mwuf.errors import UserError
from recbole_mwuf.files import atomic_write, plain_values
from recbole_mwuf.model.item_table import item_table_of
from recbole_mwuf.trainer.integrity import check_archive, check_fields, check_numbers
from recbole_mwuf.trainer.loop import WarmUpLoop

SCHEMA = {"base": 2, "warm_up": 3}  # of each kind of checkpoint
ANY_METHOD = "any method"  # a base trained on its own loss

# what may differ between the data of a base and those of a run, and what decides on it
_DECIDED_BY = {
    "data": "the files in data_path, val_interval, filters",
    "split": "old_item_threshold",
    "labels": "threshold, LABEL_FIELD",
    "features": "load_col, numerical_features, the .user and .item files",
    "held_out": "validation_items; the base was chosen by items that this run would score",
}

_TENSOR_GLOBALS = {
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("builtins", "dict"),
    ("torch", "device"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("yaml.loader", "FullLoader"),
}


class _RecBoleUnpickler(pickle.Unpickler):
    """Reads what RecBole's Trainer writes, its Config included, and refuses everything else.

    ``weights_only`` cannot: RecBole pickles with protocol 4, which that mode does not know.
    """

    def find_class(self, module: str, name: str) -> Any:
        is_storage = module == "torch" and name.endswith("Storage")
        if is_storage or (module, name) in _TENSOR_GLOBALS:
            return super().find_class(module, name)
        if module.split(".")[0] in ("recbole", "recbole_mwuf"):
            found = super().find_class(module, name)
            if isinstance(found, type) and issubclass(found, (RecBoleConfig, Enum, nn.Module)):
                return found
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, which no checkpoint needs")


class _RecBolePickle:
    """Stands in for the pickle module in ``torch.load``."""

    Unpickler = _RecBoleUnpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file: Any, **kwargs: Any) -> Any:
        return _RecBoleUnpickler(file, **kwargs).load()


def save(
    path: str | Path,
    kind: str,
    module: nn.Module,
    dataset: ColdStartDataset | Catalog,
    **more: Any,
) -> None:
    """Write a checkpoint that ``torch.load(weights_only=True)`` reads.

    Args:
        path: The file; it appears when it is complete.
        kind: ``base`` or ``warm_up``.
        module: Its ``state_dict`` is stored.
        dataset: The data set that it was trained on.
        more: Further plain values.
    """
    content = {
        "schema": SCHEMA[kind],
        "kind": kind,
        "vocabulary": vocabulary(dataset),
        "fingerprint": dataset.fingerprint,
        "state_dict": module.state_dict(),
        **more,
    }
    with atomic_write(path) as part, part.open("wb") as file:
        torch.save(content, file)  # given a path, torch would not say that the disk is full


def save_warm_up(
    path: str | Path,
    config: Any,
    loop: WarmUpLoop,
    dataset: ColdStartDataset | Catalog,
    catalog: dict,
    items: ItemState,
    events: Iterable[int] = (),
) -> None:
    """Write one file from which warm-up goes on without the data set.

    Args:
        path: The file.
        config: The run's settings.
        loop: Has the model and its optimiser.
        dataset: What the model was built for.
        catalog: The content of its :class:`~recbole_mwuf.data.catalog.Catalog`.
        items: What every item has shown so far.
        events: Fingerprints of the latest events.
    """
    save(
        path,
        "warm_up",
        loop.model,
        dataset,
        model=config["model"],
        base=config["base"],
        settings=plain_values(config.final_config_dict),
        catalog=catalog,
        items=items.tensors(),
        optimizer=loop.state(),
        events=torch.tensor(list(events), dtype=torch.long),
    )


def read(path: str | Path) -> dict:
    """Read a checkpoint of ours or of RecBole's Trainer without executing code from it.

    Raises:
        UserError: if the file is missing or damaged, or holds something else or no numbers.
    """
    try:
        with open(path, "rb") as file:
            check_archive(file)
            content = _load(file)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint '{path}'") from error
    except Exception as error:  # a broken file can fail anywhere in torch or pickle
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"'{path}' is not a readable checkpoint: {reason}") from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise UserError(f"'{path}' is not a checkpoint of a model: it has no state_dict")
    check_numbers(content, f"'{path}'")
    return content


def _load(file: BinaryIO) -> Any:
    """What an archive holds, whether ``weights_only`` reads it or it is RecBole's."""
    try:
        with warnings.catch_warnings():  # torch warns of RecBole's protocol before it fails
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        file.seek(0)
        return torch.load(
            file, map_location="cpu", weights_only=False, pickle_module=_RecBolePickle
        )


def check(content: dict, kind: str, name: str) -> None:
    """Refuse a checkpoint of another kind or of another version's schema, or an incomplete one.

    Args:
        content: What :func:`read` returned.
        kind: ``base`` or ``warm_up``.
        name: What the message calls the file.
    """
    if content.get("kind") != kind:
        found = content.get("kind", "foreign")
        raise UserError(f"{name} holds a {found} model, not a {kind} model")
    if content.get("schema") != SCHEMA[kind]:
        raise UserError(
            f"{name} has schema {content.get('schema')}, but this version reads {SCHEMA[kind]}; "
            f"train the {kind} model again"
        )
    check_fields(content, kind, name)


def load_state(module: nn.Module, content: dict, refusal: str) -> None:
    """Give a module the parameters of a checkpoint.

    Raises:
        UserError: the refusal and torch's reason, if they are those of another one.
    """
    try:
        module.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise UserError(f"{refusal}: {str(error).splitlines()[-1].strip()}") from error


def load_base(
    path: str | Path, base: nn.Module, dataset: ColdStartDataset, trained_for: str = ANY_METHOD
) -> None:
    """Load a base that was trained before, by this package or by RecBole's own Trainer.

    One of ours must have been trained on the rows of this run's old items, with the same labels and
    features. RecBole knows no old and new items. The new items' ID parameters of its bases are
    therefore left as they were initialised: a new item must not bring what it is about to learn.

    Args:
        path: The checkpoint.
        base: A freshly built base, which receives the parameters.
        dataset: The split data set.
        trained_for: The method whose own pre-training the base must have had.

    Raises:
        UserError: if the checkpoint belongs to another model, data set, split, architecture or
            method; the message says what differs.
    """
    content = read(path)
    ours = content.get("kind") == "base"
    if "kind" in content:
        check(content, "base", f"pretrained_base='{path}'")
        _check_data(content, dataset, f"pretrained_base='{path}'")
    else:
        _check_foreign(content, f"pretrained_base='{path}'")
    trained_as = content["model"] if ours else content["config"]["model"]
    if trained_as != type(base).__name__:
        raise UserError(
            f"pretrained_base='{path}' is a {trained_as}, but base={type(base).__name__}"
        )
    if content.get("trained_for", ANY_METHOD) != trained_for:
        raise UserError(
            f"pretrained_base='{path}' was trained for {content.get('trained_for', ANY_METHOD)}, "
            f"but this run needs one trained for {trained_for}"
        )
    table = item_table_of(base, dataset)
    new_items = torch.from_numpy(~dataset.is_old).nonzero().squeeze(1)
    new_items = new_items.to(dataset.config["device"])
    untrained = table.rows(new_items).detach()
    load_state(
        base,
        content,
        f"pretrained_base='{path}' does not fit base={type(base).__name__} with these settings",
    )
    if not ours:
        table.assign(new_items, untrained)


def _check_data(content: dict, dataset: ColdStartDataset, name: str) -> None:
    """Refuse a base of ours that was trained on other users, items, rows, labels or features."""
    if content["vocabulary"] != vocabulary(dataset):
        raise UserError(
            f"{name} was trained on other users or items than dataset="
            f"{dataset.dataset_name} has with these settings"
        )
    stored, own = content["fingerprint"], dataset.fingerprint
    if differing := differences(stored, own, content["early_stopped"]):
        what = "; ".join(f"{part} ({_DECIDED_BY[part]})" for part in differing)
        raise UserError(
            f"{name} was trained on data that differ from this run's in {what}; leave it out, or "
            "give the settings that it was trained with"
        )


def _check_foreign(content: dict, name: str) -> None:
    """Refuse what RecBole's Trainer has not written; warn of what it does not tell."""
    if "config" not in content:
        raise UserError(f"{name} is neither ours nor of RecBole's Trainer: there is no 'config'")
    getLogger().warning(
        f"{name}: a checkpoint of RecBole's does not tell which interactions it was trained on; "
        "its parameters, except those of new items' IDs, may have seen what is scored here"
    )
