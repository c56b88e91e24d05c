"""Checkpoints that hold tensors and plain values only, and bases trained elsewhere."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable
from logging import getLogger
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import nn

from recbole_mwuf.data import Catalog, ColdStartDataset, ItemState
from recbole_mwuf.data.fingerprint import differences, vocabulary
from recbole_mwuf.errors import UserError
from recbole_mwuf.files import atomic_write, plain_values
from recbole_mwuf.model.item_table import item_table_of
from recbole_mwuf.trainer import unpickling
from recbole_mwuf.trainer.integrity import check_archive, check_fields, check_numbers
from recbole_mwuf.trainer.loop import WarmUpLoop

SCHEMA = {"base": 2, "warm_up": 3}  # of each kind of checkpoint
ANY_METHOD = "any method"  # a base trained on its own loss

# what may differ between the data of a base and those of a run, and what decides on it
_DECIDED_BY = {
    "data": "the files in data_path, val_interval, filters",
    "split": "old_item_threshold",
    "labels": "threshold, LABEL_FIELD",
    "features": "load_col, numerical_features, taste_fields, the .user and .item files",
    "held_out": "validation_items; the base was chosen by items that this run would score",
}


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


def read(path: str | Path, device: Any = "cpu") -> dict:
    """Read a checkpoint of ours or of RecBole's Trainer without executing code from it.

    Args:
        path: The file.
        device: Where its tensors go, as torch's ``map_location``.

    Raises:
        UserError: if the file is missing or damaged, or holds something else or no numbers.
    """
    try:
        with open(path, "rb") as file:
            check_archive(file)
            content = _load(file, path, device)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint '{path}'") from error
    except Exception as error:  # a broken file can fail anywhere in torch or pickle
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"'{path}' is not a readable checkpoint: {reason}") from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise UserError(f"'{path}' is not a checkpoint of a model: it has no state_dict")
    check_numbers(content, f"'{path}'")
    return content


def recbole_settings(content: dict, path: str | Path) -> dict[str, Any]:
    """The settings of a checkpoint of RecBole's Trainer; see :func:`unpickling.plain`.

    Args:
        content: What :func:`read` returned.
        path: The file that it came from, for messages.

    Raises:
        UserError: if there are none that name a model.
    """
    state = getattr(content.get("config"), "state", None)
    settings = state.get("final_config_dict") if isinstance(state, dict) else None
    if not isinstance(settings, dict) or not isinstance(settings.get("model"), str):
        raise UserError(f"'{path}' is not a readable checkpoint: it names no model")
    return settings


def _load(file: BinaryIO, path: str | Path, device: Any) -> Any:
    """What an archive holds, whether ``weights_only`` reads it or it is RecBole's."""
    try:
        with warnings.catch_warnings():  # torch warns of RecBole's protocol before it fails
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(file, map_location=device, weights_only=True)
    except pickle.UnpicklingError:
        content = unpickling.load(path, device)
        content.pop("kind", None)  # foreign, whatever it says of itself
        return content


def check(content: dict, kind: str, name: str) -> None:
    """Refuse a checkpoint of another kind or of another version's schema, or an incomplete one.

    Args:
        content: What :func:`read` returned.
        kind: ``base`` or ``warm_up``.
        name: What the message calls the file.
    """
    found, schema = content.get("kind", "foreign"), content.get("schema")
    if not isinstance(found, str) or found != kind:
        raise UserError(f"{name} holds a {found} model, not a {kind} model")
    if not isinstance(schema, int) or schema != SCHEMA[kind]:
        raise UserError(
            f"{name} has schema {schema}, but this version reads {SCHEMA[kind]}; "
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
) -> dict:
    """Load a base that was trained before, by this package or by RecBole's own Trainer.

    One of ours must have been trained on the rows of this run's old items, with the same labels and
    features. RecBole knows no old and new items. The new items' ID parameters of its bases are
    therefore left as they were initialised: a new item must not bring what it is about to learn.

    Args:
        path: The checkpoint.
        base: A freshly built base, which receives the parameters.
        dataset: The split data set.
        trained_for: The method whose own pre-training the base must have had.

    Returns:
        dict: what its training told (:meth:`BaseTrainer.told`); empty if that is not known.

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
    trained_as = content["model"] if ours else recbole_settings(content, path)["model"]
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
    return _told(content)


def _told(content: dict) -> dict:
    found = content.get("told")
    if not isinstance(found, dict) or set(found) != {"loss", "rising"}:
        return {}
    loss, rising = found["loss"], found["rising"]
    fits = isinstance(loss, list) and all(isinstance(value, float) for value in loss)
    return found if fits and rising in (None, True, False) else {}


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
