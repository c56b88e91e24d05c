"""Code written against RecBole's look-ups finds this package's models after register()."""

from recbole.data import create_dataset
from recbole.utils import get_model, get_trainer

import recbole_mwuf
from recbole_mwuf.config import Config
from recbole_mwuf.data import SetLoader

recbole_mwuf.register()

# a base that RecBole lacks, trained on the old items by RecBole's Trainer
config = Config("MWUF", base="AFN", dataset="ml-100k", config_dict={"state": "WARNING"})
dataset = create_dataset(config)  # one that knows old and new items, since the model is MWUF
base = get_model("AFN")(config, dataset)
trainer = get_trainer(config["MODEL_TYPE"], "AFN")(config, base)
trainer.fit(SetLoader.training(config, dataset, "old"), saved=False)

# the method on top of it, by the trainer that it needs
model = get_model("MWUF")(config, dataset, base)
trainer = get_trainer(config["MODEL_TYPE"], "MWUF")(config, model)
trainer.meta_train(dataset)
for phase, metrics in trainer.run_phases(dataset).items():
    print(phase, metrics["next_phase"])
