"""Checkpoints that hold tensors and plain values only, and bases trained elsewhere."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import torch
import yaml
from recbole.config import Config as RecBoleConfig
from recbole.utils import EvaluatorType, InputType, ModelType
from torch import nn

from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.errors import UserError
from recbole_mwuf.files import written_whole
from recbole_mwuf.model.item_embedding import ItemEmbedding

SCHEMA = 1

# what a checkpoint of RecBole's own Trainer holds besides tensors: its Config, which is plain data
_RECBOLE_TYPES = [RecBoleConfig, ModelType, InputType, EvaluatorType, yaml.FullLoader]


def vocabulary(dataset: ColdStartDataset) -> str:
    """A fingerprint of the users and items behind the IDs, so that rows are not mixed up."""
    digest = hashlib.sha256()
    for field in (dataset.uid_field, dataset.iid_field):
        digest.update("\n".join(map(str, dataset.field2id_token[field])).encode())
    return digest.hexdigest()


def save(
    path: str | Path, kind: str, module: nn.Module, dataset: ColdStartDataset, **more
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
        "schema": SCHEMA,
        "kind": kind,
        "vocabulary": vocabulary(dataset),
        "state_dict": module.state_dict(),
        **more,
    }
    with written_whole(path) as part:
        torch.save(content, part)


def read(path: str | Path) -> dict:
    """Read a checkpoint of ours or of RecBole's Trainer without executing code from it.

    Raises:
        UserError: if the file is missing, broken, or holds something else.
    """
    try:
        with torch.serialization.safe_globals(_RECBOLE_TYPES):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint '{path}'") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"'{path}' is not a readable checkpoint: {reason}") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise UserError(f"'{path}' is not a checkpoint of a model: it has no state_dict")
    return content


def load_base(path: str | Path, base: nn.Module, dataset: ColdStartDataset) -> None:
    """Load a base that was trained before, by this package or by RecBole's own Trainer.

    RecBole knows no old and new items. The new items' ID parameters of its bases are therefore
    left as they were initialised: a new item must not bring what it is about to learn.

    Args:
        path: The checkpoint.
        base: A freshly built base, which receives the parameters.
        dataset: The split data set.

    Raises:
        UserError: if the checkpoint belongs to another model, data set or architecture.
    """
    content = read(path)
    ours = content.get("kind") == "base"
    if "kind" in content and not ours:
        raise UserError(f"pretrained_base='{path}' holds a {content['kind']} model, not a base")
    if ours and content["schema"] != SCHEMA:
        raise UserError(
            f"pretrained_base='{path}' has schema {content['schema']}, but this version reads "
            f"{SCHEMA}; train the base again"
        )
    if ours and content["vocabulary"] != vocabulary(dataset):
        raise UserError(
            f"pretrained_base='{path}' was trained on other users or items than dataset="
            f"{dataset.dataset_name} has with these settings"
        )
    trained_as = content["model"] if ours else content["config"]["model"]
    if trained_as != type(base).__name__:
        raise UserError(
            f"pretrained_base='{path}' is a {trained_as}, but base={type(base).__name__}"
        )
    seam = ItemEmbedding(base, dataset)
    new_items = torch.from_numpy(~dataset.split.is_old).nonzero().squeeze(1)
    new_items = new_items.to(dataset.config["device"])
    untrained = seam.rows(new_items).detach()
    try:
        base.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise UserError(
            f"pretrained_base='{path}' does not fit base={type(base).__name__} with these "
            f"settings: {str(error).splitlines()[-1].strip()}"
        ) from error
    if not ours:
        seam.assign(new_items, untrained)
