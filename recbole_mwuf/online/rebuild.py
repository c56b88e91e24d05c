"""A warm-up model and what lets it learn, from a checkpoint alone."""

from __future__ import annotations

from pathlib import Path

import torch

from recbole_mwuf.config import SavedConfig
from recbole_mwuf.data import Catalog
from recbole_mwuf.data.fingerprint import vocabulary
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.registry import get_method
from recbole_mwuf.trainer import checkpoint
from recbole_mwuf.trainer.loop import WarmUpLoop


def rebuild(content: dict, path: str | Path, device: str) -> tuple[Catalog, WarmUpLoop]:
    """Build the model of a checkpoint and load it.

    Args:
        content: The checkpoint of a warm-up model.
        path: The file that it came from, for messages.
        device: Where the model shall live.

    Returns:
        tuple: the model's users, items and features, and a loop that goes on with it.

    Raises:
        UserError: if the model cannot learn online, or what is stored does not belong together.
    """
    try:
        return _rebuild(content, path, device)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        # someone has written the file by hand: every way to go wrong is theirs
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"'{path}' does not hold a model that can be built ({reason})") from error


def _rebuild(content: dict, path: str | Path, device: str) -> tuple[Catalog, WarmUpLoop]:
    config = SavedConfig(content["settings"], device=torch.device(device), show_progress=False)
    method = get_method(content["model"])
    if "base" in method.learns.get(Stage.WARM_UP, ()):
        raise UserError(
            f"'{path}' holds a {content['model']}, which goes on training its base with every "
            "interaction; use a method whose base is fixed"
        )
    catalog = Catalog(config, content["catalog"])
    if vocabulary(catalog) != content["vocabulary"]:
        raise UserError(f"'{path}': its users and items are not those that it was saved with")
    model = method(config, catalog)
    refusal = f"'{path}' does not fit model={content['model']} with base={content['base']}"
    checkpoint.load_state(model, content, refusal)
    loop = WarmUpLoop(config, model)
    loop.resume(content["optimizer"])
    return catalog, loop
