"""Code written against RecBole's own functions runs a warm-up method after register().

These are the lines of RecBole's quick start. Where ray can be imported, they are
``run_recbole(model="MWUF", dataset="ml-100k", config_dict=settings)``.
"""

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

import recbole_mwuf

recbole_mwuf.register()

settings = {"base": "AFN", "state": "WARNING"}
config = Config(model="MWUF", dataset="ml-100k", config_dict=settings)
init_seed(config["seed"], config["reproducibility"])
dataset = create_dataset(config)  # one that knows old and new items, since the model is MWUF
train_data, valid_data, test_data = data_preparation(config, dataset)

init_seed(config["seed"], config["reproducibility"])
model = get_model("MWUF")(config, train_data.dataset).to(config["device"])
trainer = get_trainer(config["MODEL_TYPE"], "MWUF")(config, model)
trainer.fit(train_data, valid_data, saved=False, show_progress=config["show_progress"])
result = trainer.evaluate(test_data, load_best_model=False)  # auc@cold, logloss@cold, ...

for phase in ("cold", "warm_a", "warm_b", "warm_c"):
    print(phase, {metric: result[f"{metric}@{phase}"] for metric in ("auc", "logloss")})
