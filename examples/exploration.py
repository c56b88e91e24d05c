"""What does exploration buy? New items of MovieLens-1M are shown to those whose answer is known.

    python -m dataset_converters movielens --input ml-1m.zip --output dataset/ml-1m
    python examples/exploration.py --data dataset/ml-1m --output docs/exploration.csv

A replay of logged samples. The new items are taken out of the data before training, as in
online_new_item.py; the first 60 ratings of each are the pool. In every round some requests come.
A request is a handful of pairs of the pool, drawn at random; a policy shows the one that it scores
highest, the label of that pair is revealed and learned from, and the others go back. Writes how
many of the pairs shown were liked, in the first quarter of the rounds and in all, how many items
have been shown at all, and the AUC of all *later* ratings with what was learned.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from online_new_item import BASE, SEEN, hold_out  # beside this file
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import Config
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.quick_start import run

PER_REQUEST, PER_ROUND = 10, 100  # pairs to choose from; requests
FIRST_TIME = 2e9  # after all logged times: rounds are in order, logged times are not

Policy = Callable[[ItemWarmer, pd.DataFrame, int], np.ndarray]


def by_score(warmer: ItemWarmer, pairs: pd.DataFrame, seed: int, **explore: object) -> np.ndarray:
    """Scores of pairs, with what ItemWarmer.score offers."""
    return warmer.score(pairs["user_id"], pairs["item_id"], seed=seed, **explore)


POLICIES: dict[str, Policy] = {
    "random": lambda warmer, pairs, seed: np.random.default_rng(seed).random(len(pairs)),
    "greedy": by_score,
    "thompson": partial(by_score, explore="thompson"),
    "ucb, c=0.5": partial(by_score, explore="ucb", c=0.5),
    "ucb, c=1": partial(by_score, explore="ucb", c=1.0),
}


def replay(
    warmer: ItemWarmer, policy: Policy, pool: pd.DataFrame, rounds: int, seed: int
) -> pd.DataFrame:
    """The pairs that a policy shows, with their labels, round by round."""
    random = np.random.default_rng(seed)
    left, shown = np.arange(len(pool)), []
    for number in tqdm(range(rounds), ncols=100):
        n_requests = min(PER_ROUND, len(left) // PER_REQUEST)
        if n_requests == 0:
            break
        places = random.permutation(len(left))[: n_requests * PER_REQUEST]
        scores = policy(warmer, pool.iloc[left[places]], number)
        best = scores.reshape(n_requests, PER_REQUEST).argmax(axis=1)
        chosen = places.reshape(n_requests, PER_REQUEST)[np.arange(n_requests), best]
        part = pool.iloc[left[chosen]].assign(timestamp=FIRST_TIME + number, round=number)
        warmer.observe(part)
        shown.append(part)
        left = np.delete(left, chosen)
    return pd.concat(shown)


def summary(shown: pd.DataFrame, warmer: ItemWarmer, later: pd.DataFrame) -> dict[str, float]:
    """What a policy has earned and what is known in the end."""
    first = shown["round"] < (shown["round"].max() + 1) / 4
    scores = warmer.score(later["user_id"], later["item_id"])
    return {
        "liked, first quarter": shown.loc[first, "label"].mean(),
        "liked": shown["label"].mean(),
        "items shown": shown["item_id"].nunique(),
        "AUC of later ratings": roc_auc_score(later["label"], scores),
    }


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of ml-1m.inter, ...")
    parser.add_argument("--output", type=Path, required=True, help="a .csv file")
    parser.add_argument("--work", type=Path, default=Path("saved/exploration"))
    parser.add_argument("--seed", type=int, default=2021)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    silence_recbole()
    config = Config("KalmanWarmUp", "ml-1m", base=BASE)
    new, items = hold_out(options.data, options.work / "data/ml-1m", config)
    is_first = new.groupby("item_id").cumcount() < SEEN[-1]
    settings = {
        **{"data_path": str(options.work / "data"), "checkpoint_dir": str(options.work)},
        **{"seed": options.seed, "base_phases": False, "state": "WARNING"},
    }
    trained = run("KalmanWarmUp", BASE, "ml-1m", config_dict=settings)
    rows = {}
    for name, policy in POLICIES.items():
        warmer = ItemWarmer.load(trained.checkpoint)
        warmer.add_items(items)
        shown = replay(warmer, policy, new[is_first], options.rounds, options.seed)
        rows[name] = summary(shown, warmer, new[~is_first])
    table = pd.DataFrame(rows).T.rename_axis("policy").round(4)
    table.to_csv(options.output)
    print(table.to_string())


if __name__ == "__main__":
    main()
