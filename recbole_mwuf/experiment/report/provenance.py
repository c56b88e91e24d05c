"""Where results come from: data, machine, versions, commands; and what they cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import mean

from tabulate import tabulate

from recbole_mwuf.experiment.keys import base_key

_STEPS = {
    "run_s": "run",
    "pretrain_s": "pre-training",
    "meta_s": "meta-training",
    "phases_s": "phases",
}


def environment(results: list[dict], run_log: list[dict]) -> str:
    """Data, machine, versions and commands.

    Args:
        results: Contents of result files.
        run_log: Calls of the benchmark.
    """
    data = _distinct(
        f"{r['dataset']}{' (generated)' if r['config']['generated_data'] else ''}: "
        f"{r['split']['old_items']:,} old items with {r['split']['rows']['old']:,} samples, "
        f"{r['split']['new_items']:,} new items, K = {r['config']['phase_size']}, "
        f"N = {r['config']['old_item_threshold']}, {r['split']['rows']['test']:,} test samples"
        for r in results
    )
    versions = _distinct(
        ", ".join(f"{name} {version}" for name, version in r["versions"].items())
        + f", on {r['config']['device']}"
        for r in results
    )
    machines = _distinct(
        f"Python {s['python']}, {s['platform']}, {s['cpus']} CPUs" for s in run_log
    )
    commands = "\n".join(_distinct(s["command"] for s in run_log))
    facts = "\n".join(f"- {fact}" for fact in [*data, *versions, *machines])
    return f"## Environment\n\n{facts}\n\n```\n{commands}\n```"


def time_spent(results: list[dict], run_log: list[dict]) -> str:
    """What the runs cost, and what sharing bases and data saved."""
    if not results:
        return ""
    steps = "Seconds, mean over the runs that took the step:"
    parts = [savings(results), _run_log_table(run_log), steps, _step_table(results)]
    return "\n\n".join(["## Time", *parts])


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _step_table(results: list[dict]) -> str:
    runs = defaultdict(list)
    for result in results:
        runs[result["model"], result["base"]].append(result["timing"])
    rows = []
    for (model, base), timings in runs.items():
        name = model if model == base else f"{model}({base})"
        taken = [[t[step] for t in timings if t[step] > 0] for step in _STEPS]
        rows.append([name, len(timings), *(f"{mean(s):.1f}" if s else "–" for s in taken)])
    return tabulate(rows, ["method", "runs", *_STEPS.values()], "pipe", disable_numparse=True)


def savings(results: list[dict]) -> str:
    """A sentence on the pre-trainings and loads that sharing made unnecessary."""
    trained: dict[str | None, float] = {}
    for result in results:
        if result["timing"]["pretrain_s"] > 0:
            trained[base_key(result["config"])] = result["timing"]["pretrain_s"]
    shared = [
        trained.get(base_key(result["config"]), 0.0)
        for result in results
        if result["timing"]["pretrain_s"] == 0
    ]
    loads = [result["timing"]["load_s"] for result in results]
    loaded = [seconds for seconds in loads if seconds > 0]
    load_saved = (len(loads) - len(loaded)) * mean(loaded) if loaded else 0.0
    total = sum(result["timing"]["run_s"] for result in results)
    return (
        f"{len(results)} runs took {_minutes(total)} of a worker's time. "
        f"{len(shared)} of them used a base that another one had pre-trained, which saved "
        f"{_minutes(sum(shared))}; {len(loads) - len(loaded)} found the data set loaded, which "
        f"saved {_minutes(load_saved)}."
    )


def _run_log_table(run_log: list[dict]) -> str:
    rows = [
        [s["started"], s["workers"], _minutes(s["seconds"]), s["finished"], s["failed"]]
        for s in run_log
    ]
    header = ["started", "workers", "took", "finished", "failed"]
    return tabulate(rows, header, "pipe", disable_numparse=True)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"
