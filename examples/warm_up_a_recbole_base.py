"""A base that plain RecBole has trained is warmed up by MWUF.

The first half is what recbole.quick_start.run_recbole does, without ray. Base and method must load
the same columns, so both read this package's settings of the data set.
"""

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

from recbole_mwuf.compat import older_libraries
from recbole_mwuf.parallel import use_threads
from recbole_mwuf.quick_start import run
from recbole_mwuf.settings import properties_dir

with older_libraries():  # RecBole's own classes know numpy 1 and pandas 2
    config = Config(
        model="WideDeep",
        dataset="ml-100k",
        config_file_list=[str(properties_dir() / "dataset" / "ml-100k.yaml")],
        config_dict={
            "embedding_size": 16,
            "mlp_hidden_size": [64, 64, 64],
            "epochs": 1,
            "eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "mode": "labeled"},
            "metrics": ["AUC", "LogLoss"],
            "valid_metric": "AUC",
            "state": "WARNING",
            "torch_threads": 1,  # RecBole does not know it; see properties/overall.yaml
        },
    )
    use_threads(config)
    init_seed(config["seed"], config["reproducibility"])
    train_data, valid_data, test_data = data_preparation(config, create_dataset(config))
model = get_model("WideDeep")(config, train_data.dataset).to(config["device"])
trainer = get_trainer(config["MODEL_TYPE"], "WideDeep")(config, model)
trainer.fit(train_data, valid_data)
print("RecBole's test set:", dict(trainer.evaluate(test_data, load_best_model=False)))

settings = {"pretrained_base": trainer.saved_model_file, "state": "WARNING"}
print(run("MWUF", base="WideDeep", dataset="ml-100k", config_dict=settings).table())
