"""The paper's experiment (MWUF paper, section 4.3), once for all methods."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from recbole.utils import init_seed, set_color

from recbole_mwuf.data import (
    PHASES,
    SETS,
    VALIDATION,
    Catalog,
    ColdStartDataset,
    ItemState,
    Loader,
    SetLoader,
)
from recbole_mwuf.evaluator.bootstrap import bootstrap_auc
from recbole_mwuf.evaluator.metrics import evaluate
from recbole_mwuf.logs import ONLY_IN_FILE, tell
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.parallel.collectives import own_shard
from recbole_mwuf.trainer import checkpoint
from recbole_mwuf.trainer.base_trainer import BaseTrainer
from recbole_mwuf.trainer.loop import ROWS, WarmUpLoop
from recbole_mwuf.trainer.scoring import Scored, score_rows


class WarmUpTrainer(BaseTrainer):
    """Steps 2 to 6 for a method whose base is trained.

    Args:
        config: The run's settings.
        model: The method.

    Attributes:
        meta_seconds: What step 2 took.
        meta_samples: Samples that step 2 has seen.
        phases_seconds: What steps 3 to 6 took.
        consumed: The last phase whose samples have been learned from.
        draws: Phase -> protocol -> AUC of every draw of a bootstrap over items.
        updates: By phase, how often the row of a new item was updated, mean over the items.
    """

    title = "Meta-train"
    model: WarmUpMethod
    loop: WarmUpLoop

    def __init__(self, config: Any, model: WarmUpMethod):
        super().__init__(config, model, lambda batch: model.loss(batch, Stage.META_TRAIN))
        # a method without meta-training declares none
        self.epochs = 1 if config["meta_epochs"] is None else config["meta_epochs"]
        self.meta_seconds = self.phases_seconds = 0.0
        self.meta_samples = 0
        self.consumed = PHASES[0]
        self.updates: dict[str, float] = {}
        self.draws: dict[str, dict[str, np.ndarray]] = {}

    def _new_loop(self) -> WarmUpLoop:
        return WarmUpLoop(self.config, self.model)

    def meta_train(self, dataset: ColdStartDataset) -> None:
        """Step 2: train the method's modules on the old items, seen as if they were new."""
        self.model.observe(dataset.history, "cold")
        if self.model.has_meta_training:
            self.loop.start(Stage.META_TRAIN)
            loader = self.model.meta_loader(self.config, dataset, own_shard())
            self.train(loader, partial(self.validate, dataset))
        if self._rows_are_to_run():
            self.loop.train_rows(self.rows_loader(dataset), self.config["show_progress"])
        self.meta_seconds, self.meta_samples = self.loop.seconds, self.loop.samples

    def rows_loader(self, dataset: ColdStartDataset) -> Loader:
        """The samples on which old items' rows in φ_new learn: the same for every method."""
        return self.model.objective.loader(self.config, dataset, "old", "shuffled", own_shard())

    def _rows_are_to_run(self) -> bool:
        """Whether φ_new is to run over old items in a pass of its own, for equal terms."""
        learns = self.model.learns_at
        moved = self.model.has_meta_training and ROWS in learns(Stage.META_TRAIN)
        continued = self.config["warm_up_optimizer"] == "continued"
        return continued and not moved and ROWS in learns(Stage.WARM_UP)

    def validate(self, dataset: ColdStartDataset) -> dict:
        """Metrics of the held-out new items before their first sample."""
        self.start_new_items(dataset)
        return self.evaluate_set(dataset, VALIDATION, "cold")

    def run_phases(self, dataset: ColdStartDataset) -> dict:
        """Steps 3 to 6: score each phase's next set and the test set, then consume the next set.

        Returns:
            dict: ``phase -> protocol -> metric``, as in the result file.
        """
        start = perf_counter()
        results = {}
        for phase, next_set in zip(PHASES, SETS[1:]):
            if phase == "cold":
                self.start_new_items(dataset)
            else:
                self.consume(dataset, phase)
            results[phase] = self._score_phase(dataset, phase, next_set)
            self.logger.info(f"{phase}: {results[phase]}", extra=ONLY_IN_FILE)
            for protocol, metrics in results[phase].items():
                head = f"eval/{type(self.model).__name__}/{protocol}/{phase}"
                self.wandblogger.log_eval_metrics(metrics, head)
        self.phases_seconds = perf_counter() - start
        return results

    def _score_phase(self, dataset: ColdStartDataset, phase: str, next_set: str) -> dict:
        """Metrics by protocol; the draws of a bootstrap over items go to ``draws``."""
        found = {"fixed_test": self._score_set(dataset, "test", phase)}
        is_fixed = next_set == "test"
        next_scores = None if is_fixed else self._score_set(dataset, next_set, phase)
        found = {"next_phase": next_scores or found["fixed_test"], **found}
        if n_draws := self.config["bootstrap_draws"]:
            self.draws[phase] = {
                protocol: bootstrap_auc(
                    s.scores.numpy(), s.labels.numpy(), s.items.numpy(), n_draws
                )
                for protocol, s in found.items()
            }
        return {
            protocol: evaluate(self.config, s.scores, s.labels, s.users)
            for protocol, s in found.items()
        }

    def _score_set(self, dataset: ColdStartDataset, name: str, phase: str) -> Scored:
        """One set, or the held-out items, scored with what was known after a phase."""
        size, order = self.config["eval_batch_size"], self.model.scoring_order
        loader = SetLoader(dataset, name, size, phase, order, shard=own_shard())
        return score_rows(self.model, dataset, loader)

    def start_new_items(self, dataset: ColdStartDataset) -> None:
        """Step 3: new items as they are before their first interaction."""
        self.model.start_new_items()
        self.model.observe(dataset.history, PHASES[0])

    def consume(self, dataset: ColdStartDataset, phase: str) -> None:
        """Learn from one warm-up set, which has been scored before; U(v) grows by it."""
        self.model.observe(dataset.history, phase)
        self.consumed = phase
        loader = self.model.warm_up_loader(self.config, dataset, phase, own_shard())
        name, n = phase.replace("_", "-"), len(dataset.split.rows(phase))
        tell(f"{name}:", f"learning from {n:,} samples of new items")
        self.loop.row_updates = 0
        self.loop.learn(loader, Stage.WARM_UP, phase, self.config["show_progress"])
        n_new = int(dataset.split.is_new.sum())
        self.updates[phase] = round(self.loop.row_updates / n_new, 2)

    def evaluate_set(self, dataset: ColdStartDataset, name: str, phase: str) -> dict:
        """Metrics of one set or of the held-out items, with what was known after a phase."""
        scored = self._score_set(dataset, name, phase)
        return evaluate(self.config, scored.scores, scored.labels, scored.users)

    def save_model(self, path: str | Path, dataset: ColdStartDataset) -> None:
        """Write the model with its base and all that it needs to go on without the data set."""
        items = ItemState.after(
            dataset,
            self.consumed,
            self.model.mean_interacted_users(dataset.history, self.consumed),
            self.model.positive_users_only,
            self.model.table.history_length,
        )
        catalog = Catalog.content_of(dataset, self.consumed)
        checkpoint.save_warm_up(path, self.config, self.loop, dataset, catalog, items)
        self.logger.info(set_color("Saving model", "blue") + f": {path}")


def seed_stage(config: Any) -> None:
    """Start a stage from the run's seed, whatever ran before it."""
    init_seed(config["seed"], config["reproducibility"])
