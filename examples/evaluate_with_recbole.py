"""A warmed-up model is evaluated by RecBole's own loader and Trainer.

Where ray can be imported, ``recbole.quick_start.load_data_and_model(result.checkpoint)`` gives
config, model and loaders after ``recbole_mwuf.register()``.
"""

import torch
from recbole.data import data_preparation
from recbole.trainer import Trainer

from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import get_model

settings = {"state": "WARNING"}
result = run("MWUF", base="WideDeep", dataset="ml-100k", config_dict=settings)

config = Config("MWUF", dataset="ml-100k", config_dict=settings, base="WideDeep")
dataset = ColdStartDataset(config)
_, _, test_data = data_preparation(config, dataset)  # the test set after the last phase
model = get_model("MWUF")(config, dataset)
model.load_state_dict(torch.load(result.checkpoint, weights_only=True)["state_dict"])

print("RecBole:", dict(Trainer(config, model).evaluate(test_data, load_best_model=False)))
print("ours:   ", result.phases["warm_c"]["next_phase"])
