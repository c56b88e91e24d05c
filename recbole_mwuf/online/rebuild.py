"""A warm-up model and its trainer from a checkpoint alone."""

from __future__ import annotations

from logging import getLogger
from pathlib import Path

import torch

from recbole_mwuf.config import Config, read_properties
from recbole_mwuf.data import Catalog
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.warm_up.warm_up_model import WarmUpModel
from recbole_mwuf.registry import get_method
from recbole_mwuf.trainer import WarmUpTrainer, checkpoint


class SavedConfig(Config):
    """The settings of an earlier run; neither files nor the command line change them."""

    def __init__(self, settings: dict, device: str):
        self.compatibility_settings()  # RecBole's models use aliases that numpy has dropped
        self.final_config_dict = {
            **read_properties("overall"),  # what an earlier version did not know has its default
            **settings,
            "device": torch.device(device),
            "show_progress": False,
        }


class OnlineTrainer(WarmUpTrainer):
    """Learns as a WarmUpTrainer does, without the files of an experiment.

    RecBole's constructor would open a tensorboard log and a checkpoint folder; what its training
    loop reads is set here instead.
    """

    def __init__(self, config: SavedConfig, model: WarmUpModel):
        self.config, self.model, self.logger = config, model, getLogger()
        self.device, self.gpu_available = config["device"], False
        self.enable_amp = self.enable_scaler = False
        for name in ("learner", "learning_rate", "weight_decay", "clip_grad_norm"):
            setattr(self, name, config[name])
        self.loss_func = None
        self.seconds, self.samples = 0.0, 0
        self.prepare()

    def _train_epoch(self, train_data, epoch_idx, loss_func=None, show_progress=False):
        return super()._train_epoch(train_data, epoch_idx, self.model.online_loss, show_progress)

    def grow(self, n_items: int) -> None:
        """Make room for more items in the model and in an optimiser that goes on."""
        self.model.grow(n_items)
        if self._learns is not None:
            self.optimizer.grow()


def rebuild(content: dict, path: str | Path, device: str) -> tuple[Catalog, OnlineTrainer]:
    """Build the model of a checkpoint and load it.

    Args:
        content: The checkpoint of a warm-up model.
        path: The file that it came from, for messages.
        device: Where the model shall live.

    Returns:
        tuple: the model's users, items and features, and a trainer that goes on with it.

    Raises:
        UserError: if the model cannot learn online, or its parameters are those of another one.
    """
    config = SavedConfig(content["settings"], device)
    method = get_method(content["model"])
    if "base" in method.learns_in_warm_up:
        raise UserError(
            f"'{path}' holds a {content['model']}, which goes on training its base with every "
            "interaction; use a model whose base is fixed, such as MWUF"
        )
    catalog = Catalog(config, content["catalog"])
    model = method(config, catalog)
    refusal = f"'{path}' does not fit model={content['model']} with base={content['base']}"
    checkpoint.load_state(model, content, refusal)
    trainer = OnlineTrainer(config, model)
    trainer.resume(content["optimizer"])
    return catalog, trainer
