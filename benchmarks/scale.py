"""Does cost grow with the samples only? Time and memory by number of interactions.

    python benchmarks/scale.py --folder /tmp/scale [--rows 1 4 16 26] [--rounds 5]

Generates data sets (millions of interactions of 1 million users and 500 thousand items) unless
they are there, loads and splits each in a process of its own, and trains Wide & Deep and MWUF on
it, the sizes taking turns. The smallest one also trains with dense Adam, in turn with row-wise.
Writes ``scale.json`` and prints a Markdown table for ``README.md``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER)]

from alternate import alternate  # noqa: E402
from training import Round, part_of  # noqa: E402

from recbole_mwuf.compat import silence_recbole  # noqa: E402
from recbole_mwuf.config import Config  # noqa: E402
from recbole_mwuf.data import ColdStartDataset  # noqa: E402
from recbole_mwuf.model.base import create_base  # noqa: E402
from recbole_mwuf.model.warm_up.stage import Stage  # noqa: E402
from recbole_mwuf.parallel import Shard  # noqa: E402
from recbole_mwuf.registry import get_model  # noqa: E402
from recbole_mwuf.trainer import BaseTrainer, WarmUpTrainer  # noqa: E402

N_USERS, N_ITEMS = 1_000_000, 500_000


def generate(folder: Path, millions: float) -> str:
    """Write a data set's atomic files; items follow Zipf's law. Returns its name."""
    name = f"scale-{millions:g}m"
    target = folder / name
    if (target / f"{name}.inter").is_file():
        return name
    target.mkdir(parents=True, exist_ok=True)
    random, n = np.random.default_rng(2021), int(millions * 1e6)
    popularity = 1 / np.arange(1, N_ITEMS + 1)
    items = np.searchsorted(np.cumsum(popularity / popularity.sum()), random.random(n))
    tables = {
        "user": {
            "user_id:token": np.arange(N_USERS),
            "age:token": random.integers(0, 7, N_USERS),
            "gender:token": random.integers(0, 2, N_USERS),
        },
        "item": {
            "item_id:token": np.arange(N_ITEMS),
            "category:token": random.integers(0, 1000, N_ITEMS),
            "brand:token": random.integers(0, 5000, N_ITEMS),
        },
        "inter": {
            "user_id:token": random.integers(0, N_USERS, n),
            "item_id:token": items.clip(max=N_ITEMS - 1),
            "label:float": random.integers(0, 2, n),
            "timestamp:float": np.arange(n),
        },
    }
    for suffix, columns in tables.items():
        pl.DataFrame(columns).write_csv(target / f"{name}.{suffix}", separator="\t")
    return name


def prepare(folder: str, name: str, what: str, sparse: bool, batches: int) -> tuple[Round, dict]:
    """Load and split a data set and make a trainer of it."""
    silence_recbole()
    settings = {
        "data_path": folder,
        "show_progress": False,
        "state": "ERROR",
        "old_item_threshold": 200,
        "phase_size": 20,
        "sparse_embedding": sparse,
        "load_col": {
            "inter": ["user_id", "item_id", "label", "timestamp"],
            "user": ["user_id", "age", "gender"],
            "item": ["item_id", "category", "brand"],
        },
    }
    config = Config("MWUF", name, None, settings, base="WideDeep")
    start = time.perf_counter()
    data = ColdStartDataset(config)
    notes = {
        "rows": len(data.inter_feat),
        "load_and_split_s": round(time.perf_counter() - start, 1),
        "load_peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10),
    }
    base = create_base(config, data)
    method = get_model("MWUF")(config, data, base)
    if what == "WideDeep":
        base.requires_grad_(True)
        trainer, loader = BaseTrainer(config, base), method.pretrain_loader(config, data, Shard())
    else:
        trainer, loader = WarmUpTrainer(config, method), method.meta_loader(config, data, Shard())
        method.observe(data.history, "cold")
        trainer.loop.start(Stage.META_TRAIN)
    # the order of a whole pass is drawn once: a part of a pass pays a part of it
    loader = part_of(loader, batches)

    def go() -> int:
        trainer._train_epoch(loader, 0)
        return loader.sample_size

    return go, notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=float, nargs="+", default=[1, 4, 16, 26])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", choices=["sizes", "dense"], default=["sizes", "dense"])
    parser.add_argument("--output", type=Path, default=FOLDER / "scale.json")
    arguments = parser.parse_args()
    names = [generate(arguments.folder, rows) for rows in arguments.rows]
    folder, n = str(arguments.folder), arguments.batches
    cases: dict[str, dict[str, tuple]] = {}
    if "sizes" in arguments.only:
        for what, title in (("WideDeep", "WideDeep, pre-"), ("MWUF", "MWUF(WideDeep), meta-")):
            cases[f"{title}training"] = {m: (folder, m, what, True, n) for m in names}
    if "dense" in arguments.only:
        small = names[0]
        cases["row-wise beside dense, pre-training"] = {
            "row-wise": (folder, small, "WideDeep", True, n),
            "dense": (folder, small, "WideDeep", False, max(1, n // 40)),
        }
    results = {
        title: alternate(contenders, prepare, arguments.rounds, arguments.threads)
        for title, contenders in cases.items()
    }
    arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("| training | data | load and split | peak memory | threads | samples/s |")
    print("|---|---|---|---|---|---|")
    for title, result in results.items():
        for name, r in result.items():
            millions = r["rows"] / 1e6
            load = f"{r['load_and_split_s']} s ({r['load_and_split_s'] / millions:.1f} s a million)"
            for threads, rates in r["samples_per_s"].items():
                cells = [title, name, load, f"{r['peak_rss_mb']} MB", threads]
                print("| " + " | ".join([*cells, f"{statistics.median(rates):,.0f}"]) + " |")


if __name__ == "__main__":
    main()
