"""Step 1: RecBole's Trainer on this package's training loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from recbole.data.interaction import Interaction
from recbole.trainer import Trainer
from recbole.utils import calculate_valid_score, set_color
from torch import nn

from recbole_mwuf.data import ColdStartDataset, Loader
from recbole_mwuf.model.warm_up.stage import Losses
from recbole_mwuf.trainer import checkpoint
from recbole_mwuf.trainer.loop import Loss, TrainingLoop
from recbole_mwuf.trainer.optimizer import OptimizerGroup


class BaseTrainer(Trainer):
    """Trains a base on the old items (step 1); fit, logging and early stopping are RecBole's.

    Args:
        config: RecBole's settings.
        model: The base.
        loss_func: Batch -> loss; default: the base's own.

    Attributes:
        title: Names the step in the progress bar and in tensorboard.
        loop: Does the work.
    """

    title = "Pre-train"

    def __init__(
        self,
        config: Any,
        model: nn.Module,
        loss_func: Callable[[Interaction], Losses] | None = None,
    ):
        super().__init__(config, model)
        own: Any = model.calculate_loss
        self.loss_func: Callable[[Interaction], Losses] = loss_func or own
        self._best_state: dict | None = None

    def _build_optimizer(self, **kwargs: Any) -> OptimizerGroup:
        self.loop = self._new_loop()
        return self.loop.optimizer

    def _new_loop(self) -> TrainingLoop:
        return TrainingLoop(self.config, self.model)

    def _train_epoch(
        self,
        train_data: Loader,
        epoch_idx: int,
        loss_func: Callable[[Interaction], Losses] | None = None,
        show_progress: bool = False,
    ) -> Loss:
        title = f"{self.title} {epoch_idx}"
        return self.loop.epoch(train_data, loss_func or self.loss_func, title, show_progress)

    def _add_train_loss_to_tensorboard(
        self, epoch_idx: int, losses: Loss, tag: str = "Loss/Train"
    ) -> None:
        super()._add_train_loss_to_tensorboard(epoch_idx, losses, f"{tag} {self.title}")

    def train(self, train_data: Loader, validate: Callable[[], dict]) -> None:
        """All epochs of a step, as ``config["epochs"]`` says.

        With ``eval_step``, RecBole's early stopping (``stopping_step``, ``valid_metric``) ends the
        training, and the parameters of the best epoch stay.

        Args:
            train_data: The samples.
            validate: Gives the metrics of the held-out items.
        """
        self.fit(train_data, validate, show_progress=self.config["show_progress"])
        if self._best_state is not None:
            self.model.load_state_dict(self._best_state)

    def told(self) -> dict:
        """What a result file keeps of the training.

        Returns:
            dict: ``loss``: means over the quarters of the last epoch; ``rising``: whether the last
            epoch was the best on the held-out items, None if they were not looked at.
        """
        rising = self.cur_step == 0 if self.eval_step > 0 else None
        return {"loss": [round(loss, 6) for loss in self.loop.quarters], "rising": rising}

    def _valid_epoch(
        self, valid_data: Callable[[], dict], show_progress: bool = False
    ) -> tuple[float, dict]:
        result = valid_data()
        return calculate_valid_score(result, self.valid_metric), result

    def _save_checkpoint(self, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        """No file after an epoch: a stage is saved once, by name, when it is complete."""
        if self.eval_step > 0:  # then this is the best epoch so far
            state = self.model.state_dict()
            self._best_state = {name: value.clone() for name, value in state.items()}

    def save_base(self, path: str | Path, dataset: ColdStartDataset, trained_for: str) -> None:
        """Write the trained base, for ``pretrained_base``; a method's own base names it."""
        checkpoint.save(
            *(path, "base", self.model, dataset),
            model=self.config["base"],
            trained_for=trained_for,
            early_stopped=self.eval_step > 0,
            told=self.told(),
        )
        self.logger.info(set_color("Saving base", "blue") + f": {path}")
