"""The trainer that RecBole's own code gets for a warm-up method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from recbole.trainer import Trainer
from recbole.utils import set_color

from recbole_mwuf.data import PHASES, SETS, WARM_SETS, ColdStartDataset
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.parallel.collectives import rank, send_parameters
from recbole_mwuf.parallel.threads import use_threads
from recbole_mwuf.trainer import (
    WarmUpTrainer,
    checkpoint,
    pretrain_base,
    seed_stage,
    trained_for,
)

# the phases whose next set is one to learn from: their scores need no test set
_BEFORE_TEST = [phase for phase, scored in zip(PHASES, SETS[1:]) if scored in WARM_SETS]


class PhaseTrainer(Trainer):
    """The paper's six steps behind ``fit`` and ``evaluate``, as RecBole's quick start calls them.

    ``fit`` takes all steps on the split data set behind the loader, with the seeds of
    :func:`recbole_mwuf.run`: every set is scored before it is learned from. ``evaluate`` tells
    what the phases scored, ``auc@cold`` and so on, for the test set that ``fit`` has seen, and
    scores any other loader as RecBole does.

    Args:
        config: The run's settings.
        model: The method, on a base that is not trained yet.
    """

    model: WarmUpMethod

    def __init__(self, config: Any, model: WarmUpMethod):
        super().__init__(config, model)
        self.data: ColdStartDataset | None = None
        self.phases: dict[str, dict] = {}

    def fit(
        self,
        train_data: Any,
        valid_data: Any = None,
        verbose: bool = True,
        saved: bool = True,
        show_progress: bool = False,
        callback_fn: Callable[[int, float], None] | None = None,
    ) -> tuple[float, dict]:
        """Train the base, the method, and take both through the phases.

        Args:
            train_data: A loader of the old items, or any of a ColdStartDataset.
            valid_data: Not read: what is scored to validate is the data set's.
            verbose: Whether to log the result; the steps log as ``state`` says.
            saved: Whether to write the warmed-up model, as ``recbole_mwuf.run`` does.
            show_progress: Whether the steps show a progress bar.
            callback_fn: Called once, with the last epoch and the valid score.

        Returns:
            tuple: the mean ``valid_metric`` and the metrics of what the search may see: the new
            items that ``validation_items`` holds out, before their first interaction; without
            them the warm-up sets, which a report contains as well.
        """
        use_threads(self.config)
        self.config["show_progress"] = show_progress
        data = self.data = train_data.dataset
        send_parameters(self.model)  # RecBole gives every process another seed
        if self.config["data_files"] is None:  # RecBole has just downloaded them
            self.config.note_data()
        self._pretrain(data)
        self._build_anew(data)
        trainer = WarmUpTrainer(self.config, self.model)
        trainer.meta_train(data)
        held_out = None
        if data.split.is_validation.any() and not self.config["score_validation"]:
            self.model.observe(data.history, PHASES[0])
            held_out = trainer.validate(data)
        self.phases = trainer.run_phases(data)
        for tensorboard in (trainer.tensorboard, self.tensorboard):
            tensorboard.close()
        if saved and rank() == 0:
            trainer.save_model(self.saved_model_file, data)
        self.best_valid_result = held_out or self._flat(_BEFORE_TEST)
        self.best_valid_score = self._score(self.best_valid_result)
        if verbose:
            self.logger.info(set_color("valid result", "blue") + f": {self.best_valid_result}")
        if callback_fn is not None:
            callback_fn(self.epochs - 1, self.best_valid_score)
        return self.best_valid_score, self.best_valid_result

    def _pretrain(self, data: ColdStartDataset) -> None:
        given = self.config["pretrained_base"]
        if given is None:
            pretrain_base(self.config, self.model, data)
        else:
            checkpoint.load_base(given, self.model.base, data, trained_for(type(self.model)))

    def _build_anew(self, data: ColdStartDataset) -> None:
        """Let the model be as after its constructor: what it takes from a base wants a trained one.

        It stays the object that RecBole's caller holds.
        """
        seed_stage(self.config)
        built = type(self.model)(self.config, data, self.model.base)
        self.model.__dict__.update(built.__dict__)
        self.model.to(self.device)

    def _flat(self, phases: list[str]) -> dict[str, float | None]:
        """``metric@phase -> value`` of what comes next (the protocol ``next_phase``)."""
        return {
            f"{metric}@{phase}": value
            for phase in phases
            for metric, value in self.phases[phase]["next_phase"].items()
        }

    def _score(self, result: dict[str, float | None]) -> float:
        values = [v for name, v in result.items() if name.split("@")[0] == self.valid_metric]
        defined = [value for value in values if value is not None]
        return float(np.mean(defined)) if defined else self.best_valid_score

    def evaluate(
        self,
        eval_data: Any,
        load_best_model: bool = True,
        model_file: str | None = None,
        show_progress: bool = False,
    ) -> dict[str, float | None]:
        """What the phases scored, if this is the test set of :meth:`fit`, else RecBole's metrics.

        Args:
            eval_data: A loader.
            load_best_model: Whether to score with the model that was saved.
            model_file: A checkpoint to score with.
            show_progress: Whether to show a progress bar.
        """
        if self.phases and model_file is None and self._is_test_set(eval_data.dataset):
            return self._flat(list(PHASES))
        return super().evaluate(eval_data, load_best_model, model_file, show_progress)

    def _is_test_set(self, dataset: Any) -> bool:
        return self.data is not None and dataset.split is self.data.split and dataset.part == "test"

    def resume_checkpoint(self, resume_file: Any) -> None:
        """There is nothing to resume: a run is saved when it is complete."""
        raise UserError(
            f"'{resume_file}': the phases of a run are not resumed; pretrained_base=FILE goes on "
            "from a trained base, load_data_and_model(FILE) loads a warmed-up model"
        )
