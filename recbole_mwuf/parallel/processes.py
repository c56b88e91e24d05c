"""Starting, connecting and ending the processes of a run."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from multiprocessing import parent_process
from threading import Thread
from typing import Any

import torch
from torch import distributed, multiprocessing

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.errors import UserError


def connect(config: Any) -> None:
    """Connect the processes of a run: over nccl on GPUs, over gloo on the CPU.

    Args:
        config: Uses ``local_rank``, ``offset``, ``world_size``, ``ip``, ``port``, ``device``.
    """
    on_gpu = config["device"].type == "cuda"
    if on_gpu:
        torch.cuda.set_device(config["device"])
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        rank=config["local_rank"] + config["offset"],
        world_size=config["world_size"],
        init_method=f"tcp://{config['ip']}:{config['port']}",
    )


def end_with_parent() -> None:
    """End this process when the one that started it has ended, even if that one was killed."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=wait, daemon=True).start()


def launch(function: Callable[[dict], Any], config: Any) -> Any:
    """Call a function in ``nproc`` processes; returns what it returns in the first one.

    Args:
        function: Called with a process's own settings, which come over the user's.
        config: Uses RecBole's ``nproc``, ``world_size``, ``ip``, ``port``, ``group_offset``.

    Raises:
        UserError: as raised by the function. When one process fails, the others are ended.
    """
    here = config["nproc"]
    everywhere = config["world_size"] or -1
    shared = {
        "nproc": here,
        "world_size": here if everywhere < 0 else everywhere,
        "ip": config["ip"] or "localhost",
        "port": config["port"] or _free_port(),
        "offset": config["group_offset"] or 0,
    }
    queue = multiprocessing.get_context("spawn").SimpleQueue()
    try:
        multiprocessing.spawn(_work, (function, shared, queue), nprocs=here)
    except multiprocessing.ProcessRaisedException:
        if queue.empty():
            raise
    outcome = queue.get()
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


def _work(local_rank: int, function: Callable[[dict], Any], shared: dict, queue: Any) -> None:
    end_with_parent()
    silence_recbole()
    try:
        result = function({**shared, "local_rank": local_rank})
    except UserError as error:
        queue.put(error)
        raise
    if local_rank == 0:
        queue.put(result)
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]
