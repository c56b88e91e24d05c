"""A warmed-up model is evaluated by RecBole's own loader and Trainer."""

import torch
from recbole.data.dataloader import NegSampleEvalDataLoader
from recbole.trainer import Trainer

from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import get_model

settings = {"state": "WARNING"}
result = run("MWUF", base="WideDeep", dataset="ml-100k", config_dict=settings)

config = Config("MWUF", base="WideDeep", dataset="ml-100k", config_dict=settings)
data = ColdStartDataset(config)
model = get_model("MWUF")(config, data)
model.load_state_dict(torch.load(result.checkpoint, weights_only=True)["state_dict"])

# the test set as a RecBole Dataset, after the last phase
test_data = NegSampleEvalDataLoader(config, data.subset("test", "warm_c"), None)
print("RecBole:", dict(Trainer(config, model).evaluate(test_data, load_best_model=False)))
print("ours:   ", result.phases["warm_c"]["next_phase"])
