"""New items of MovieLens-1M arrive hour by hour; how fast does each method learn them?

    python -m dataset_converters movielens --input ml-1m.zip --output dataset/ml-1m
    python examples/online_new_item.py --data dataset/ml-1m --output docs/online_auc
    python examples/online_new_item.py --data dataset/ml-1m --output docs/online_auc \\
        --methods KalmanWarmUp+taste    # some only; what the .csv has of the others stays

All but one of the split's new items are taken out of the data before training (a split needs one),
so the checkpoints have never heard of them. They are added when their first rating comes in, and
learn from their first 3K ratings. When an item has shown 0, 1, 2, 5, 10, ... of them, all its later
ratings are scored. Writes the AUC by number of interactions seen as .csv and as a figure, .png.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import Config
from recbole_mwuf.data import cold_start_split
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.quick_start import run

BASE = "WideDeep"
PLAIN = (BASE, "MetaEmb", "MWUF", "KalmanWarmUp")
TASTE = "+taste"
METHODS = (*PLAIN, *(method + TASTE for method in PLAIN))
# docs/taste.md has how these were chosen
TASTE_SETTINGS = {
    "taste_fields": ["genre", "release_year"],
    "taste_user_fields": ["age"],
    "load_col": {
        "inter": ["user_id", "item_id", "rating", "timestamp"],
        "user": ["user_id", "age", "gender", "occupation"],
        "item": ["item_id", "release_year", "genre"],
    },
}
KALMAN_SETTINGS = {"kalman_prior_scale": 1.0}
SEEN = (0, 1, 2, 5, 10, 20, 40, 60)


def read_atomic(file: Path) -> pd.DataFrame:
    """A RecBole atomic file as text, types left in the header."""
    return pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False)


def hold_out(source: Path, target: Path, config: Config) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Copy the data set without its new items, all but one; returns theirs: interactions, items."""
    inter, items = (read_atomic(source / f"ml-1m.{suffix}") for suffix in ("inter", "item"))
    number, tokens = pd.factorize(inter["item_id:token"])
    times = inter["timestamp:float"].astype(float).to_numpy()
    threshold, size = config["old_item_threshold"], config["phase_size"]
    split = cold_start_split(number, times, threshold, size)
    held = tokens[split.is_new][1:]
    target.mkdir(parents=True, exist_ok=True)
    parts = []
    for name, table in (("inter", inter), ("item", items)):
        is_held = table["item_id:token"].isin(held)
        table[~is_held].to_csv(target / f"ml-1m.{name}", sep="\t", index=False)
        parts.append(table[is_held].rename(columns=lambda column: column.split(":")[0]))
    (target / "ml-1m.user").write_bytes((source / "ml-1m.user").read_bytes())
    new, features = parts
    positive = config["threshold"]["rating"]
    new["label"] = (new["rating"].astype(float) >= positive).astype(int)
    new["timestamp"] = new["timestamp"].astype(float)
    return new.sort_values("timestamp", kind="stable"), features


def train(data: Path, saved: Path, seed: int, methods: list[str]) -> Iterator[tuple[str, str]]:
    """A checkpoint of every method, on one pre-trained base with taste and one without."""
    for kind in ("", TASTE):
        folder = saved / (kind.strip("+") or "plain")
        settings = {
            **{"data_path": str(data), "checkpoint_dir": str(folder), "seed": seed},
            **{"base_phases": False, "state": "WARNING", **(TASTE_SETTINGS if kind else {})},
        }
        for method in PLAIN:
            if method + kind not in methods:
                continue
            own = KALMAN_SETTINGS if kind and method == "KalmanWarmUp" else {}
            result = run(method, BASE, "ml-1m", config_dict={**settings, **own})
            yield method + kind, result.checkpoint
            settings["pretrained_base"] = str(next(folder.glob(f"{BASE}-ml-1m-base-*.pth")))


def hours(events: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The events hour by hour; an hour is cut where an item reaches one of the points in SEEN."""
    before = events.groupby("item_id").cumcount()
    stage = np.searchsorted(SEEN, before, side="right")
    for _, part in events.groupby([events["timestamp"] // 3600, stage]):
        yield part


def stream(path: str, new: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Feed the new items to a checkpoint; returns seen, label and score of every scored rating."""
    warmer = ItemWarmer.load(path)
    order = new.groupby("item_id").cumcount()
    learned, later = new[order < SEEN[-1]], new[order >= SEEN[-1]]
    later = dict(iter(later.groupby("item_id")))
    features = items.set_index("item_id", drop=False)
    seen = dict.fromkeys(later, 0)
    scored = []

    def score(arrived: list[str]) -> None:
        ready = [later[item] for item in arrived if seen[item] in SEEN]
        if ready:
            pairs = pd.concat(ready)
            scores = warmer.score(pairs["user_id"], pairs["item_id"])
            count = pairs["item_id"].map(seen)
            scored.append(pd.DataFrame({"seen": count, "label": pairs["label"], "score": scores}))

    with tqdm(total=len(learned), unit="rating", ncols=100) as bar:
        for part in hours(learned):
            arrived = list(part["item_id"].unique())
            first = [item for item in arrived if seen[item] == 0]
            warmer.add_items(features.loc[first])
            score(first)
            warmer.observe(part, networks=True)
            for item, count in part["item_id"].value_counts().items():
                seen[item] += count
            score(arrived)
            bar.update(len(part))
    return pd.concat(scored)


def plot(table: pd.DataFrame, file: Path) -> None:
    """Lines that can be told apart without colour."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5), layout="constrained")
    styles = dict(zip(PLAIN, zip(("0.55", "0.35", "0.35", "0.0"), ("--", "-.", ":", "-"), "s^vo")))
    for method in filter(table.columns.__contains__, METHODS):
        plain, plus, _ = method.partition("+")
        grey, line, marker = styles[plain]
        label = method.replace(BASE, "base (Wide & Deep)").replace(TASTE, " with taste features")
        filled = grey if plus else "white"
        axes.plot(table.index, table[method], color=grey, ls=line, marker=marker, label=label)
        axes.lines[-1].set_markerfacecolor(filled)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks(SEEN, [str(n) for n in SEEN])
    axes.minorticks_off()
    axes.set_xlabel("interactions of a new item seen so far")
    axes.set_ylabel("AUC of its later ratings")
    axes.grid(color="0.9")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of ml-1m.inter, ...")
    parser.add_argument("--output", type=Path, required=True, help="without suffix")
    parser.add_argument("--work", type=Path, default=Path("saved/online_new_item"))
    parser.add_argument("--seed", type=int, default=2021)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    options = parser.parse_args()
    silence_recbole()
    config = Config("MWUF", "ml-1m", base=BASE)
    new, items = hold_out(options.data, options.work / "data/ml-1m", config)
    file = options.output.with_suffix(".csv")
    table = pd.DataFrame(index=pd.Index(SEEN, name="seen"))
    if file.is_file() and set(options.methods) < set(METHODS):
        table = pd.read_csv(file, index_col="seen")
    for method, path in train(options.work / "data", options.work, options.seed, options.methods):
        scored = stream(path, new, items)
        table[method] = [
            roc_auc_score(part["label"], part["score"]) for _, part in scored.groupby("seen")
        ]
        table["ratings_scored"] = scored.groupby("seen").size()
        order = [column for column in (*METHODS, "ratings_scored") if column in table]
        table[order].round(4).to_csv(file)
    plot(table, options.output.with_suffix(".png"))
    print(table[order].round(4).to_string())


if __name__ == "__main__":
    main()
