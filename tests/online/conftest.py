"""A warm-up model trained up to the cold phase, and the raw interactions that come next."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import pytest

from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.registry import get_method
from recbole_mwuf.trainer import WarmUpTrainer


class Arrived(NamedTuple):
    """A trainer before its first warm-up set, its data, and its checkpoint."""

    trainer: WarmUpTrainer
    data: ColdStartDataset
    path: str

    def interactions(self, name: str) -> pd.DataFrame:
        """Raw rows of one of the split's sets, as they came."""
        data, rows = self.data, self.data.split.rows(name)
        inter = data.inter_feat
        return pd.DataFrame(
            {
                **{
                    field: data.id2token(field, inter[field].numpy()[rows])
                    for field in ("user_id", "item_id")
                },
                "label": inter["label"].numpy()[rows],
                "timestamp": data.times[rows],
            }
        )


@pytest.fixture
def arrive(trained):
    """Trains a method on a base up to the cold phase and saves it."""

    def build(method="MWUF", base="WideDeep", **changes) -> Arrived:
        config, data, module = trained(method, base, **changes)
        trainer = WarmUpTrainer(config, get_method(method)(config, data, module))
        trainer.meta_train(data)
        trainer.start_new_items(data)
        trainer.save_model("model.pth", data)
        return Arrived(trainer, data, "model.pth")

    return build


@pytest.fixture
def warmer(arrive) -> ItemWarmer:
    return ItemWarmer.load(arrive().path)
