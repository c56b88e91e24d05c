"""Checkpoints as RecBole's own code reads them: with a config, and without executing anything.

RecBole 1.2.1 calls ``torch.load`` for its checkpoints, which since torch 2.6 refuses the config in
them. While the names of this package are registered, RecBole's calls, and no one else's, read
through :mod:`recbole_mwuf.trainer.checkpoint`, and get a config that is made of plain values.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from recbole.config import Config as RecBoleConfig

from recbole_mwuf.compat import numpy_names, replaced
from recbole_mwuf.config.checks import check_harmless
from recbole_mwuf.errors import UserError
from recbole_mwuf.integration.config import MethodConfig
from recbole_mwuf.registry import get_model
from recbole_mwuf.trainer import checkpoint, unpickling


def readable_checkpoints() -> AbstractContextManager[None]:
    """While open, RecBole reads its own checkpoints and this package's."""
    torch_load = torch.load

    def load(file: Any, *args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.partition(".")[0] != "recbole" or not os.path.isfile(file):
            return torch_load(file, *args, **kwargs)
        return read_for_recbole(file, args[0] if args else kwargs.get("map_location"))

    return replaced(torch, "load", load)


def read_for_recbole(path: str | Path, device: Any = None) -> dict:
    """A checkpoint's content as RecBole's Trainer has written it.

    Args:
        path: The file.
        device: Where its tensors go; None for where they were, or the CPU.

    Raises:
        UserError: if the file is broken, or holds what plain values cannot stand for.
    """
    if device is None and not torch.cuda.is_available():
        device = "cpu"
    content = checkpoint.read(path, device)
    # RecBole unpickles data sets that it finds where the config says: beside the file at most
    changes = {
        "dataset_save_path": None,
        "dataloaders_save_path": None,
        "checkpoint_dir": str(Path(path).parent),
    }
    if "kind" in content:
        checkpoint.check(content, "warm_up", f"'{path}'")
        here = _device_here(str(content["settings"].get("device")))
        config = MethodConfig.restored(content["settings"], **changes, device=here)
        return {"config": config, "state_dict": content["state_dict"]}
    return _recboles(content, path, changes)


def _recboles(content: dict, path: str | Path, changes: dict[str, Any]) -> dict:
    """What RecBole's Trainer has written, its config rebuilt from plain values."""
    settings = checkpoint.recbole_settings(content, path)
    state_dict, others = content["state_dict"], content.get("other_parameter")
    if isinstance(others, dict):
        # DIN and others name a whole module here as well, whose parameters are in the state dict
        others = {n: v for n, v in others.items() if not _is_module(n, state_dict)}
    rest = {n: v for n, v in content.items() if n not in ("config", "state_dict")}
    try:
        return {
            **unpickling.plain({**rest, "other_parameter": others}),
            "state_dict": state_dict,
            "config": _config({**unpickling.plain(settings), **changes}),
        }
    except ValueError as error:
        raise UserError(f"'{path}' is not a readable checkpoint: {error}") from error


def _is_module(name: str, state_dict: dict) -> bool:
    return any(str(parameter).startswith(f"{name}.") for parameter in state_dict)


def _config(settings: dict[str, Any]) -> RecBoleConfig:
    """RecBole's Config with resolved settings; its constructor would evaluate strings in them."""
    check_harmless(settings, get_model(settings["model"]), torch_load_is_safe=True)
    numpy_names()
    config = RecBoleConfig.__new__(RecBoleConfig)
    config._init_parameters_category()
    config.model, config.dataset = settings["model"], settings["dataset"]
    config.final_config_dict = {**settings, "device": _device_here(str(settings["device"]))}
    return config


def _device_here(name: str) -> torch.device:
    """A device by name, or the CPU where there is no such device."""
    here = torch.cuda.is_available() or not name.startswith("cuda")
    return torch.device(name if here else "cpu")
