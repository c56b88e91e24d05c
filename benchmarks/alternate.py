"""Processes that take turns: what disturbs the machine disturbs all of them alike."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch

# prepares a contender: returns what trains once and returns the number of samples, and notes
Prepare = Callable[..., tuple[Callable[[], int], dict]]


def _serve(pipe: Connection, prepare: Prepare, arguments: tuple) -> None:
    """Prepare, then do a round whenever a number of threads arrives."""
    go, notes = prepare(*arguments)
    pipe.send(notes)
    while (threads := pipe.recv()) is not None:
        torch.set_num_threads(threads)
        start = time.perf_counter()
        samples = go()
        pipe.send(round(samples / (time.perf_counter() - start)))
    pipe.send(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10))


def alternate(
    contenders: dict[str, tuple], prepare: Prepare, rounds: int, threads: list[int]
) -> dict[str, dict]:
    """Let contenders train in turn, round by round.

    Args:
        contenders: name -> arguments of ``prepare``, which each process calls for itself.
        prepare: Makes a contender ready.
        rounds: How often each has its turn; a first round is not counted.
        threads: In every round, once with each of these numbers of torch threads.

    Returns:
        dict: name -> ``samples_per_s`` (threads -> one figure per round), ``peak_rss_mb`` and what
        ``prepare`` noted.
    """
    context = multiprocessing.get_context("spawn")
    pipes, processes, results = {}, [], {}
    for name, arguments in contenders.items():
        pipes[name], end = context.Pipe()
        processes.append(context.Process(target=_serve, args=(end, prepare, arguments)))
        processes[-1].start()
        # one after the other: what prepare() times is not disturbed by the next one's
        results[name] = {**pipes[name].recv(), "samples_per_s": {str(n): [] for n in threads}}
    for i in range(rounds + 1):
        for n in threads:
            for name, pipe in pipes.items():
                pipe.send(n)
                rate = pipe.recv()
                if i > 0:
                    results[name]["samples_per_s"][str(n)].append(rate)
    for name, pipe in pipes.items():
        pipe.send(None)
        results[name]["peak_rss_mb"] = pipe.recv()
    for process in processes:
        process.join()
    return results
