from recbole_mwuf.trainer.base_trainer import BaseTrainer
from recbole_mwuf.trainer.warm_up_trainer import WarmUpTrainer, score, seed_stage

__all__ = ["BaseTrainer", "WarmUpTrainer", "score", "seed_stage"]
