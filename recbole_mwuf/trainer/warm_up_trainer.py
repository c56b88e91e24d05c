"""The paper's experiment (section 4.3), once for all methods."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from time import perf_counter

import torch
from recbole.utils import init_seed, set_color

from recbole_mwuf.data import (
    PHASES,
    SETS,
    VALIDATION,
    Catalog,
    ColdStartDataset,
    ItemState,
    SetLoader,
)
from recbole_mwuf.files import plain_values
from recbole_mwuf.model.warm_up.warm_up_model import WarmUpModel
from recbole_mwuf.trainer import checkpoint
from recbole_mwuf.trainer.base_trainer import BaseTrainer
from recbole_mwuf.trainer.scoring import evaluate_loader


class WarmUpTrainer(BaseTrainer):
    """Steps 2 to 6 for a warm-up model whose base is trained.

    A method says in ``learns_in_meta_training`` and ``learns_in_warm_up`` which of its modules
    each step moves, and fills in the hooks of :class:`WarmUpModel`.
    """

    model: WarmUpModel

    def __init__(self, config, model: WarmUpModel):
        super().__init__(config, model)
        self.epochs = config["meta_epochs"] or 0
        self.meta_seconds = self.phases_seconds = 0.0
        self.meta_samples = 0
        self.consumed = PHASES[0]
        self.prepare()

    def prepare(self) -> None:
        """No module has learned yet."""
        self._learns: tuple[str, ...] | None = None
        self._fresh_optimizer = self.config["warm_up_optimizer"] == "fresh"

    def _start(self, stage: str, learns: tuple[str, ...]) -> None:
        """Let these modules learn, and nothing else.

        The optimiser of an earlier step goes on if it moved the same modules: Algorithm 1 is one
        loop, first over the old items, then over the new ones as they come.
        """
        self.stage = stage
        for name, module in self.model.named_children():
            module.requires_grad_(name in learns)
        if learns != self._learns or self._fresh_optimizer:
            self.optimizer = self._build_optimizer()
        self._learns = learns
        if stage != "Meta-train" and self.config["warm_up_learning_rate"] is not None:
            self.optimizer.set_row_wise_learning_rate(self.config["warm_up_learning_rate"])

    def meta_train(self, dataset: ColdStartDataset) -> None:
        """Step 2: train the method's modules on the old items, seen as if they were new."""
        if not self.model.has_meta_training:
            return
        self.model.observe(dataset.history, "cold")
        self._start("Meta-train", self.model.learns_in_meta_training)
        loader = self.model.meta_loader(self.config, dataset)
        self.train(loader, partial(self.validate, dataset))
        self.model.finish_meta_training()
        self.meta_seconds, self.meta_samples = self.seconds, self.samples

    def validate(self, dataset: ColdStartDataset) -> dict:
        """Metrics of the held-out new items before their first sample."""
        self.model.finish_meta_training()
        return self.evaluate_set(dataset, VALIDATION, "cold")

    def _train_epoch(self, train_data, epoch_idx, loss_func=None, show_progress=False):
        if loss_func is None and self.stage == "Meta-train":
            loss_func = self.model.meta_loss
        return super()._train_epoch(train_data, epoch_idx, loss_func, show_progress)

    def run_phases(self, dataset: ColdStartDataset) -> dict:
        """Steps 3 to 6: score each phase's next set and the test set, then consume the next set.

        Returns:
            dict: ``phase -> protocol -> metric``, as in the result file.
        """
        start = perf_counter()
        results = {}
        for phase, next_set in zip(PHASES, SETS[1:]):
            if phase == "cold":
                self.model.observe(dataset.history, phase)
            else:
                self.consume(dataset, phase)
            fixed = self.evaluate_set(dataset, "test", phase)
            is_fixed = next_set == "test"
            next_phase = fixed if is_fixed else self.evaluate_set(dataset, next_set, phase)
            results[phase] = {"next_phase": next_phase, "fixed_test": fixed}
            self.logger.info(set_color(phase, "blue") + f": {results[phase]}")
            for protocol, metrics in results[phase].items():
                head = f"eval/{type(self.model).__name__}/{protocol}/{phase}"
                self.wandblogger.log_eval_metrics(metrics, head)
        self.phases_seconds = perf_counter() - start
        return results

    def consume(self, dataset: ColdStartDataset, phase: str) -> None:
        """Learn from one warm-up set, which has been scored before; U(v) grows by it."""
        self.model.observe(dataset.history, phase)
        self.consumed = phase
        self.learn(self.model.warm_up_loader(self.config, dataset, phase), phase)

    def learn(self, loader, stage: str, networks: bool = True) -> None:
        """Steps 4 to 6 on a loader's samples.

        Args:
            loader: The samples.
            stage: Names the step.
            networks: Whether modules other than the new items' ID parameters learn as well.
        """
        self._start(stage, self.model.learns_in_warm_up)
        if not networks:
            for name, module in self.model.named_children():
                if name != "new_ids":
                    module.requires_grad_(False)
        for epoch in range(self.config["warm_up_epochs"]):
            self._train_epoch(loader, epoch, show_progress=self.config["show_progress"])

    def optimizer_state(self) -> list[dict]:
        """The optimiser that the next warm-up set goes on with; empty if it starts anew."""
        goes_on = self._learns == self.model.learns_in_warm_up and not self._fresh_optimizer
        return self.optimizer.state_dicts() if goes_on else []

    def resume(self, optimizer_state: list[dict]) -> None:
        """Go on with an optimiser that was saved."""
        if optimizer_state:
            self._start("Resume", self.model.learns_in_warm_up)
            self.optimizer.load_state_dicts(optimizer_state)

    def evaluate_set(self, dataset: ColdStartDataset, name: str, phase: str) -> dict:
        """Metrics of one set or of the held-out items, with what was known after a phase."""
        size, order = self.config["eval_batch_size"], self.model.scoring_order
        loader = SetLoader(dataset, name, size, phase, order)
        return evaluate_loader(self.config, self.model, loader)

    def save_model(self, path: str | Path, dataset: ColdStartDataset) -> None:
        """Write the model with its base and all that it needs to go on without the data set."""
        items = ItemState.after(
            dataset,
            self.consumed,
            self.model.mean_interacted_users(dataset.history, self.consumed),
            self.model.positive_users_only,
            getattr(self.model.base, "history_length", 0),
        )
        self.save_state(path, dataset, Catalog.content_of(dataset), items)
        self.logger.info(set_color("Saving model", "blue") + f": {path}")

    def save_state(
        self,
        path: str | Path,
        dataset: ColdStartDataset | Catalog,
        catalog: dict,
        items: ItemState,
        events: Iterable[int] = (),
    ) -> None:
        """Write one file from which warm-up goes on without the data set.

        Args:
            path: The file.
            dataset: What the model was built for.
            catalog: The content of its :class:`~recbole_mwuf.data.catalog.Catalog`.
            items: What every item has shown so far.
            events: Fingerprints of the latest events.
        """
        checkpoint.save(
            path,
            "warm_up",
            self.model,
            dataset,
            model=self.config["model"],
            base=self.config["base"],
            settings=plain_values(self.config.final_config_dict),
            catalog=catalog,
            items=items.tensors(),
            optimizer=self.optimizer_state(),
            events=torch.tensor(list(events), dtype=torch.long),
        )


def seed_stage(config) -> None:
    """Start a stage from the run's seed, whatever ran before it."""
    init_seed(config["seed"], config["reproducibility"])
