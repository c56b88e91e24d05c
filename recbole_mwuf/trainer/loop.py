"""Passes over samples: forward, backward, step; for one process or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from logging import getLogger
from time import perf_counter
from typing import Any, Union

import torch
from recbole.data.interaction import Interaction
from recbole.utils import set_color
from torch import Tensor, nn
from tqdm import tqdm

from recbole_mwuf.data.protocols import Loader
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Losses, Stage
from recbole_mwuf.parallel import whole_batch_draws
from recbole_mwuf.parallel.collectives import average_gradients, average_statistics, world_size
from recbole_mwuf.trainer.optimizer import OptimizerGroup, build_optimizer

Loss = Union[float, tuple[float, ...]]


class TrainingLoop:
    """Trains a model's parameters that require a gradient.

    Args:
        config: Uses ``learner``, ``learning_rate``, ``weight_decay``, ``clip_grad_norm``,
            ``enable_amp``, ``enable_scaler``, ``device``.
        model: What learns.

    Attributes:
        optimizer: Of the current stage.
        seconds: Time spent in passes.
        samples: Samples seen in passes.
    """

    def __init__(self, config: Any, model: nn.Module):
        self.config, self.model = config, model
        self.device: torch.device = config["device"]
        self.seconds, self.samples = 0.0, 0
        self.optimizer = self.new_optimizer()

    def new_optimizer(self) -> OptimizerGroup:
        """A fresh optimiser of the parameters that require a gradient now."""
        return build_optimizer(self.config, self.model)

    def epoch(
        self,
        loader: Loader,
        loss_func: Callable[[Interaction], Losses],
        title: str,
        show_progress: bool = False,
    ) -> Loss:
        """One pass over the samples.

        RecBole's loop reads the loss after every batch, which makes a GPU wait for it. Here the
        losses stay on the device and are read, and checked, once.

        Args:
            loader: The samples.
            loss_func: Batch -> mean loss, or a tuple of its parts.
            title: Stands before the progress bar.
            show_progress: Whether there is one.

        Returns:
            float | tuple[float, ...]: the mean loss of a batch; a loss in parts, part by part.

        Raises:
            ValueError: if the loss is not a number.
        """
        if len(loader) == 0:
            getLogger().warning(f"{title}: no samples to learn from")
            return 0.0
        start = perf_counter()
        self.model.train()
        use_scaler = bool(self.config["enable_scaler"]) and torch.cuda.is_available()
        scaler = torch.amp.GradScaler(self.device.type, enabled=use_scaler)
        with _Progress(loader, title, show_progress) as bar:
            total = torch.zeros((), dtype=torch.float64, device=self.device)
            for batch in bar:
                total = total + self._step(batch, loss_func, scaler)
        average_statistics(self.model)
        if torch.isnan(total.sum()):
            raise ValueError("Training loss is nan")
        self.seconds += perf_counter() - start
        self.samples += loader.sample_size
        mean = (total / len(loader)).tolist()
        return tuple(mean) if isinstance(mean, list) else mean

    def _step(
        self, batch: Interaction, loss_func: Callable[[Interaction], Losses], scaler: Any
    ) -> Tensor:
        """One step; returns the loss, or its parts, shape ``[]`` or ``[n_parts]``."""
        self.optimizer.zero_grad()
        use_amp = bool(self.config["enable_amp"])
        with torch.autocast(self.device.type, enabled=use_amp), whole_batch_draws(batch):
            loss = loss_func(batch)
        if isinstance(loss, tuple):
            loss = torch.stack(loss)
        scaler.scale(loss.sum()).backward()
        loss = average_gradients(self.model.parameters(), loss.detach(), len(batch))
        if self.config["clip_grad_norm"]:
            self.optimizer.clip_grad_norm(**self.config["clip_grad_norm"])
        self.optimizer.step(scaler)
        return loss


class WarmUpLoop(TrainingLoop):
    """Lets a method learn what it may learn at a stage, and nothing else.

    Args:
        config: As in :class:`TrainingLoop`; also ``warm_up_optimizer``,
            ``warm_up_learning_rate``, ``warm_up_epochs``.
        model: The method.
    """

    model: WarmUpMethod

    def __init__(self, config: Any, model: WarmUpMethod):
        super().__init__(config, model)
        self._fresh_optimizer = config["warm_up_optimizer"] == "fresh"
        self._learning: tuple[str, ...] | None = None  # nothing has learned yet

    def start(self, stage: Stage, networks: bool = True) -> None:
        """Let the modules of a stage learn.

        The optimiser of an earlier stage goes on if it moved the same modules: Algorithm 1 is one
        loop, first over the old items, then over the new ones as they come.

        Args:
            stage: What comes next.
            networks: Whether modules other than the new items' ID parameters learn as well.
        """
        learns = self.model.learns_at(stage)
        for name, module in self.model.named_children():
            module.requires_grad_(name in learns)
        if learns != self._learning or self._fresh_optimizer:
            self.optimizer = self.new_optimizer()
        self._learning = learns
        if stage is not Stage.META_TRAIN and self.config["warm_up_learning_rate"] is not None:
            self.optimizer.set_row_wise_learning_rate(self.config["warm_up_learning_rate"])
        if not networks:
            for name, module in self.model.named_children():
                module.requires_grad_(name in learns and name == "new_ids")

    def learn(
        self, loader: Loader, stage: Stage, title: str, show_progress: bool, networks: bool = True
    ) -> None:
        """Steps 4 to 6 on a loader's samples; arguments as in :meth:`start` and :meth:`epoch`.

        A method that learns in closed form takes one pass, whatever ``warm_up_epochs`` says.
        """
        if self.model.closed_form:
            self.absorb(loader, title, show_progress)
            return
        self.start(stage, networks)
        for epoch in range(self.config["warm_up_epochs"]):
            self.epoch(loader, self.loss_of(stage), f"{title} {epoch}", show_progress)

    def absorb(self, loader: Loader, title: str, show_progress: bool) -> None:
        """One pass in which the method learns from each batch outright."""
        if len(loader) == 0:
            getLogger().warning(f"{title}: no samples to learn from")
            return
        start = perf_counter()
        if self.model.training:  # walking through all modules takes a while
            self.model.eval()
        with _Progress(loader, title, show_progress, n_shards=1) as bar:
            for batch in bar:
                self.model.absorb(batch)
        self.seconds += perf_counter() - start
        self.samples += loader.sample_size

    def loss_of(self, stage: Stage) -> Callable[[Interaction], Losses]:
        """The method's loss of a batch at a stage."""
        return lambda batch: self.model.loss(batch, stage)

    def state(self) -> list[dict]:
        """The optimiser that the next warm-up set goes on with; empty if it starts anew."""
        goes_on = self._learning == self.model.learns_at(Stage.WARM_UP)
        return self.optimizer.state_dicts() if goes_on and not self._fresh_optimizer else []

    def resume(self, state: list[dict]) -> None:
        """Go on with an optimiser that was saved."""
        if state:
            self.start(Stage.WARM_UP)
            self.optimizer.load_state_dicts(state)

    def grow(self, n_items: int) -> None:
        """Make room for more items in the model and in an optimiser that goes on."""
        self.model.grow(n_items)
        if self._learning is not None:
            self.optimizer.grow()


class _Progress:
    """Batches of a loader under a tqdm bar that counts samples.

    Args:
        loader: The batches.
        title: Stands before the bar.
        shown: Whether there is one.
        n_shards: Processes that each have a part of every batch; default: all.
    """

    def __init__(self, loader: Loader, title: str, shown: bool, n_shards: int | None = None):
        self.loader, self.n_shards = loader, n_shards or world_size()
        self.bar = tqdm(
            total=loader.sample_size,
            desc=set_color(f"{title:<12}", "pink"),
            unit="sample",
            unit_scale=True,
            ncols=100,
            disable=not shown,
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __iter__(self) -> Iterator[Interaction]:
        for batch in self.loader:
            yield batch
            self.bar.update(len(batch) * self.n_shards)
