"""Time and memory of an ItemWarmer on ml-100k: adding, observing, scoring; one thread.

    python benchmarks/online.py [--model MWUF] [--bases WideDeep DIN] [--work saved/benchmark]
    python benchmarks/online.py --model KalmanWarmUp --bases WideDeep --state 1000000

Trains the model on each base first. Times are wall-clock and, since other work may want the same
cores, those of the process alone. ``bare`` is what the base itself takes in the same minute: a
step of Adam on two rows, and a forward pass over 1,000 rows that are tensors already. ``saved`` is
the size of the saved state after 120,000 and after 240,000 events. ``at once`` is a call with all
events. Prints a Markdown table; with ``--state N`` what N new items take, part by part, instead.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from recbole.data.interaction import Interaction

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.quick_start import run

N_ITEMS, N_EVENTS, BATCH, N_PAIRS = 1_000, 60_000, 256, 1_000
REPEATS = 300
FEATURES = {"movie_title": "Heat", "release_year": "1995", "class": "Action Crime"}


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and seconds of this process."""
    clock, own = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - own


def median(calls: list[Callable[[], object]]) -> tuple[float, float]:
    """Median milliseconds of a call."""
    seconds = np.median([timed(call) for call in calls], axis=0)
    return seconds[0] * 1e3, seconds[1] * 1e3


def events(warmer: ItemWarmer, items: list[str], n: int, start: float) -> pd.DataFrame:
    """Random interactions, every item equally often, one a second."""
    random = np.random.default_rng(int(start))
    users = warmer.catalog.field2id_token[warmer.catalog.uid_field][1:]
    return pd.DataFrame(
        {
            "user_id": random.choice(users, n),
            "item_id": random.permutation(np.resize(items, n)),
            "label": random.integers(0, 2, n),
            "timestamp": start + np.arange(n),
            "event_id": np.arange(n) + start,
        }
    )


def measure(path: Path) -> list[str]:
    """The columns of one checkpoint's row."""
    warmer = ItemWarmer.load(path)
    items = [f"new-{i}" for i in range(N_ITEMS)]
    stream = events(warmer, items, N_EVENTS, 2e9)
    single = events(warmer, items, REPEATS, 3e9)

    def warm() -> None:
        warmer.add_items(pd.DataFrame({"item_id": items, **FEATURES}))
        for first in range(0, N_EVENTS, BATCH):
            warmer.observe(stream[first : first + BATCH], networks=True)

    observed = timed(warm)
    again = stream.assign(event_id=stream["event_id"] - 1e9)
    at_once = timed(lambda: warmer.observe(again, networks=True))
    rows = [single[i : i + 1] for i in range(REPEATS)]
    one = median([lambda row=row: warmer.observe(row, networks=True) for row in rows])
    pairs = [events(warmer, items, N_PAIRS, i) for i in range(REPEATS)]
    score = median([lambda p=p: warmer.score(p["user_id"], p["item_id"]) for p in pairs])

    bare_step, bare_forward = bare(warmer)

    sizes = []
    for turn in range(1, 4):
        for first in range(0, N_EVENTS, BATCH):
            more = stream[first : first + BATCH]
            ids = more["event_id"] + turn * N_EVENTS
            warmer.observe(more.assign(timestamp=4e9 + turn * N_EVENTS, event_id=ids))
        sizes.append(saved_mb(warmer, path))
    return [
        *(f"{seconds:.1f} s" for seconds in (*observed, at_once[1])),
        *(f"{ms:.1f} ms" for ms in (*one, bare_step, *score, bare_forward)),
        *(f"{size:.2f} MB" for size in (sizes[0], sizes[-1])),
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB",
    ]


def bare(warmer: ItemWarmer) -> tuple[float, float]:
    """Median milliseconds of the process for a step on two rows and for 1,000 rows scored."""
    base = copy.deepcopy(warmer.model.base).requires_grad_(True).train()
    adam = torch.optim.Adam(base.parameters())
    users = torch.arange(N_PAIRS) % warmer.catalog.user_num
    items = torch.arange(N_PAIRS) % warmer.catalog.n_known_items()
    columns = warmer.catalog.pairs(users, items)
    columns[warmer.catalog.label_field] = (users % 2).float()
    ranges = warmer.items.ranges(items.numpy())
    columns[HISTORY_START], columns[HISTORY_END] = (
        torch.from_numpy(part) for part in (ranges.start, ranges.end)
    )
    rows = {name: column[:2] for name, column in columns.items()}  # BatchNorm needs two

    def step() -> None:
        adam.zero_grad()
        base.calculate_loss(Interaction(rows)).backward()
        adam.step()

    @torch.no_grad()
    def forward() -> None:
        base.eval().predict(Interaction(columns))

    return tuple(median([call] * REPEATS)[1] for call in (step, forward))


def state(path: Path, n_items: int) -> list[str]:
    """What new items take, part by part: bytes of an item, largest first; and the whole."""
    warmer = ItemWarmer.load(path)
    before = saved_mb(warmer, path)
    start = time.perf_counter()
    items = [f"new-{i}" for i in range(n_items)]
    warmer.add_items(pd.DataFrame({"item_id": items, **FEATURES}))
    seconds = time.perf_counter() - start
    room = warmer.catalog.item_num
    tables = dict(warmer.model.named_parameters()) | dict(warmer.model.named_buffers())
    tables |= {f"shown.{name}": column for name, column in warmer.items.tensors().items()}
    own = {n: t.nbytes / len(t) for n, t in tables.items() if t.dim() and len(t) == room}
    largest = sorted(own.items(), key=lambda part: -part[1])
    added = (saved_mb(warmer, path) - before) * 2**20
    return [
        *(f"{name}: {size:.0f} bytes" for name, size in largest),
        f"file: {added / n_items:.0f} bytes an item, {added / 1e9:.2f} GB",
        f"added in {seconds:.0f} s",
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB",
    ]


def saved_mb(warmer: ItemWarmer, path: Path) -> float:
    """Size of what save() writes."""
    file = path.with_suffix(".state")
    warmer.save(file)
    return file.stat().st_size / 2**20


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="MWUF")
    parser.add_argument("--state", type=int, metavar="N")
    parser.add_argument("--bases", nargs="+", default=["WideDeep", "DIN"])
    parser.add_argument("--work", type=Path, default=Path("saved/benchmark"))
    options = parser.parse_args()
    silence_recbole()
    settings = {"checkpoint_dir": str(options.work), "base_phases": False, "state": "WARNING"}
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}")
    names = (
        "base|add + observe|CPU|at once|observe 1|CPU|bare|score|CPU|bare|saved|saved later|peak"
    )
    if not options.state:
        print("| " + " | ".join(names.split("|")) + " |")
        print("|---" * (names.count("|") + 1) + "|")
    for base in options.bases:
        result = run(options.model, base, "ml-100k", config_dict=settings)
        if options.state:
            print("\n".join([base, *state(Path(result.checkpoint), options.state)]), flush=True)
            continue
        figures = measure(Path(result.checkpoint))
        print(f"| {base} | " + " | ".join(figures) + " |", flush=True)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
