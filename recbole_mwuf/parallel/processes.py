"""Starting, connecting and ending the processes of a run."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process, util
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any

import torch
from torch import distributed, multiprocessing

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.errors import UserError

_PATIENCE = 10  # seconds that a process has to end in order
# it would warn that it ends the other processes when one has failed
logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)


def connect(config: Any) -> None:
    """Connect the processes of a run: over nccl on GPUs, over gloo on the CPU.

    Args:
        config: Uses ``local_rank``, ``offset``, ``world_size``, ``ip``, ``port``, ``device``,
            ``model``, ``checkpoint_dir``.
    """
    # RecBole's logger and Trainer make them in every process, and fail where another was faster
    for folder in (Path("log", config["model"]), Path(config["checkpoint_dir"])):
        folder.mkdir(parents=True, exist_ok=True)
    on_gpu = config["device"].type == "cuda"
    if on_gpu:
        torch.cuda.set_device(config["device"])
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        rank=config["local_rank"] + config["offset"],
        world_size=config["world_size"],
        init_method=f"tcp://{config['ip']}:{config['port']}",
    )


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started meanwhile never hear Ctrl-C: the one that started them ends them.

    It must be so from their first moment, or an import of theirs ends in a traceback.
    """
    if current_thread() is not main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a new process inherits it
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def end_in_order() -> None:
    """Let SIGTERM unwind this process as an exception does: nothing half-written stays.

    Of a process that multiprocessing has started. Once its function has returned there is nothing
    left to unwind, and an exception in what the interpreter calls then would be printed.
    """

    def unwind(*_: object) -> None:
        end_at_once()  # should it come again
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, unwind)
    util.Finalize(None, end_at_once, exitpriority=1000)  # before all that atexit calls


def end_at_once() -> None:
    """Let SIGTERM end this process: it has nothing left to do, and its exit is not to be told."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
        KeyboardInterrupt: after Ctrl-C; all processes have been ended then.
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
    with deaf_to_ctrl_c():
        started = multiprocessing.spawn(_work, (function, shared, queue), nprocs=here, join=False)
    try:
        while not started.join():
            pass
    except multiprocessing.ProcessRaisedException:
        if queue.empty():
            raise
    except KeyboardInterrupt:
        for process in started.processes:
            process.terminate()
        for process in started.processes:
            process.join(_PATIENCE)
            process.kill()
        raise
    outcome = queue.get()
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


def _work(local_rank: int, function: Callable[[dict], Any], shared: dict, queue: Any) -> None:
    end_in_order()
    end_with_parent()
    silence_recbole()
    try:
        result = function({**shared, "local_rank": local_rank})
    except UserError as error:
        queue.put(error)
        raise
    finally:
        end_at_once()
    if local_rank == 0:
        queue.put(result)
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]
