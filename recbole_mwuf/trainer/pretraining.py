"""Step 1: pre-train the base of a method on the old items."""

from __future__ import annotations

from typing import Any

from recbole_mwuf.data import VALIDATION, ColdStartDataset, SetLoader
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.parallel.collectives import own_shard
from recbole_mwuf.trainer import checkpoint
from recbole_mwuf.trainer.base_trainer import BaseTrainer
from recbole_mwuf.trainer.scoring import evaluate_loader
from recbole_mwuf.trainer.warm_up_trainer import seed_stage


def trained_for(method: type[WarmUpMethod]) -> str:
    """Whom a pre-trained base serves: the method itself if it pre-trains one of its own."""
    return checkpoint.ANY_METHOD if method.shares_pretrained_base else method.__name__


def pretrain_base(config: Any, model: WarmUpMethod, dataset: ColdStartDataset) -> BaseTrainer:
    """Train the base that a method was built with; returns the trainer that did it.

    Args:
        config: The run's settings.
        model: The method; its base has the parameters that training starts from.
        dataset: The split data set.
    """
    base, own = model.base, not model.shares_pretrained_base
    base.requires_grad_(True)
    seed_stage(config)
    trainer = BaseTrainer(config, base, model.pretrain_loss if own else None)

    def validate() -> dict:
        size, order = config["eval_batch_size"], model.scoring_order
        held_out = SetLoader(dataset, VALIDATION, size, "cold", order, shard=own_shard())
        if own:
            model.observe(dataset.history, "cold")
        return evaluate_loader(config, model if own else base, dataset, held_out)

    trainer.train(model.pretrain_loader(config, dataset, own_shard()), validate)
    trainer.tensorboard.close()  # or its thread stays as long as the process
    return trainer
