"""A data set of eleven items that is quick to train on: old, new and rare ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

NAME = "tiny"
N_USERS = 30
# item -> rows: N = 20 and K = 3 make 1 to 4 old, 5 to 9 new, and leave 10 and 11 out
ROWS_OF_ITEM = {1: 60, 2: 50, 3: 40, 4: 21, 5: 20, 6: 18, 7: 15, 8: 12, 9: 10, 10: 9, 11: 4}
# the settings that go with it; data_path is to be added
TINY = {
    "old_item_threshold": 20,
    "phase_size": 3,
    "train_batch_size": 16,
    "show_progress": False,
    "state": "ERROR",
    "load_col": {
        "inter": ["user_id", "item_id", "label", "timestamp"],
        "user": ["user_id", "age"],
        "item": ["item_id", "category", "tags"],
    },
}


def tiny_interactions() -> pd.DataFrame:
    """Rows in a random order; the label follows user and item, with noise."""
    rng = np.random.default_rng(7)
    item = np.repeat(list(ROWS_OF_ITEM), list(ROWS_OF_ITEM.values()))
    user = rng.integers(1, N_USERS + 1, len(item))
    liking = np.sin(user) + np.cos(2.0 * item) + rng.normal(0, 0.5, len(item))
    frame = pd.DataFrame(
        {
            "user_id:token": user,
            "item_id:token": item,
            "label:float": (liking > 0).astype(int),
            "timestamp:float": rng.integers(10**9, 10**9 + 300, len(item)),
        }
    )
    return frame.sample(frac=1, random_state=1)


def write_tiny(folder: Path, interactions: pd.DataFrame | None = None) -> None:
    """Write the data set ``tiny`` as RecBole's atomic files.

    Args:
        folder: What ``data_path`` names; the files come into ``folder/tiny``.
        interactions: Other rows than :func:`tiny_interactions`.
    """
    target = folder / NAME
    target.mkdir()
    users, items = range(1, N_USERS + 1), list(ROWS_OF_ITEM)
    tables = {
        "inter": tiny_interactions() if interactions is None else interactions,
        "user": pd.DataFrame({"user_id:token": users, "age:token": [u % 4 for u in users]}),
        "item": pd.DataFrame(
            {
                "item_id:token": items,
                "category:token": [f"c{i % 3}" for i in items],
                "tags:token_seq": [" ".join(f"t{j}" for j in range(i % 3 + 1)) for i in items],
            }
        ),
    }
    for suffix, table in tables.items():
        table.to_csv(target / f"{NAME}.{suffix}", sep="\t", index=False)
