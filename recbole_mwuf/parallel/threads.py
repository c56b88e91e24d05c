"""How many threads torch uses on the CPU."""

from __future__ import annotations

from typing import Any

import torch


def use_threads(config: Any) -> None:
    """Let torch use as many threads as the settings say, in the whole process.

    Args:
        config: Uses ``torch_threads``; None leaves torch as it is.
    """
    if config["torch_threads"] is not None:
        torch.set_num_threads(config["torch_threads"])
