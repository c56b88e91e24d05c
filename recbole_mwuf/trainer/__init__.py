from recbole_mwuf.trainer.base_trainer import BaseTrainer
from recbole_mwuf.trainer.warm_up_trainer import WarmUpTrainer, score, seed_stage

TRAINERS: dict[str, type[WarmUpTrainer]] = {}


def get_trainer(method: str) -> type[WarmUpTrainer]:
    """The trainer of a warm-up method: its own if it has one."""
    return TRAINERS.get(method, WarmUpTrainer)


__all__ = ["BaseTrainer", "WarmUpTrainer", "get_trainer", "score", "seed_stage"]
