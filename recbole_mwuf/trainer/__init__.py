from recbole_mwuf.trainer.base_trainer import BaseTrainer
from recbole_mwuf.trainer.clock_trainer import ClockTrainer
from recbole_mwuf.trainer.pretraining import pretrain_base, trained_for
from recbole_mwuf.trainer.scoring import evaluate_loader, score
from recbole_mwuf.trainer.warm_up_trainer import WarmUpTrainer, seed_stage

__all__ = [
    "BaseTrainer",
    "ClockTrainer",
    "WarmUpTrainer",
    "evaluate_loader",
    "pretrain_base",
    "score",
    "seed_stage",
    "trained_for",
]
