"""The processes that RecBole's quick start launches know this package's names as well."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from torch import distributed, multiprocessing

from recbole_mwuf.compat import replaced
from recbole_mwuf.registry import import_modules, registered_modules


def workers_that(register: Callable[[], None]) -> AbstractContextManager[None]:
    """While open, what RecBole spawns (``run(nproc=2)``) registers first, and knows the guests.

    Args:
        register: A function of a module, which a new process can import.
    """
    torch_spawn = multiprocessing.spawn

    def spawn(function: Callable, *args: Any, **kwargs: Any) -> Any:
        if function.__module__.partition(".")[0] == "recbole":
            function = partial(_work, function, register, registered_modules())
        return torch_spawn(function, *args, **kwargs)

    return replaced(multiprocessing, "spawn", spawn)


def _work(
    function: Callable, register: Callable[[], None], modules: list[str], rank: int, *args: Any
) -> None:
    """What runs in one process: RecBole's worker function after the registration."""
    import_modules(modules)
    register()
    function(rank, *args)
    if distributed.is_initialized():
        distributed.destroy_process_group()
