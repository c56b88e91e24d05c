"""Passes over samples: forward, backward, step; for one process or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from logging import getLogger
from time import perf_counter
from typing import Any, Union

import torch
from recbole.data.interaction import Interaction
from recbole.utils import set_color
from torch import Tensor, nn, optim
from tqdm import tqdm

from recbole_mwuf.data.protocols import Loader
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Losses, Stage
from recbole_mwuf.parallel import whole_batch_draws
from recbole_mwuf.parallel.collectives import average_gradients, average_statistics, world_size
from recbole_mwuf.trainer.optimizer import (
    OptimizerGroup,
    build_optimizer,
    grow_rows,
    row_optimizer,
)

Loss = Union[float, tuple[float, ...]]
ROWS = "new_ids"  # the module of the new items' ID parameters


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
        quarters: Mean loss of a batch in each quarter of the last pass, its parts summed; empty if
            it had fewer than four batches.
    """

    def __init__(self, config: Any, model: nn.Module):
        self.config, self.model = config, model
        self.device: torch.device = config["device"]
        self.seconds, self.samples = 0.0, 0
        self.quarters: list[float] = []
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
            ends, sums = [len(loader) * quarter // 4 for quarter in range(5)], [total]
            for n_done, batch in enumerate(bar, 1):
                total = total + self._step(batch, loss_func, scaler)
                if n_done in ends:
                    sums.append(total)
        average_statistics(self.model)
        if torch.isnan(total.sum()):
            raise ValueError("Training loss is nan")
        self.seconds += perf_counter() - start
        self.samples += loader.sample_size
        self.quarters = _quarters(sums, ends)
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


def _quarters(sums: list[Tensor], ends: list[int]) -> list[float]:
    """Means over quarters, from the sums over the batches before their ends."""
    if len(sums) < len(ends):
        return []
    means = [
        (b - a).sum() / (end - start) for a, b, start, end in zip(sums, sums[1:], ends, ends[1:])
    ]
    return torch.stack(means).tolist()


class WarmUpLoop(TrainingLoop):
    """Lets a method learn what it may learn at a stage, and nothing else.

    How the rows of new items learn is the protocol's, the same for every method, the plain base
    included: their optimiser has run over old items' rows in step 2 and goes on (``continued``), or
    starts anew for every warm-up set (``fresh``).

    Args:
        config: As in :class:`TrainingLoop`; also ``warm_up_optimizer``, ``warm_up_rows``,
            ``warm_up_learning_rate``, ``warm_up_epochs``.
        model: The method.

    Attributes:
        row_updates: Updates of items' rows since it was last set to 0: an item in a batch is one.
    """

    model: WarmUpMethod

    def __init__(self, config: Any, model: WarmUpMethod):
        self._fresh = config["warm_up_optimizer"] == "fresh"
        self._rows: optim.Optimizer | None = None
        self._networks: tuple[tuple[str, ...], OptimizerGroup] | None = None
        self.row_updates = 0
        if config["warm_up_rows"] == "dense":
            model.new_ids.make_dense()
        super().__init__(config, model)

    def start(self, stage: Stage, networks: bool = True) -> None:
        """Let the modules of a stage learn.

        Args:
            stage: What comes next.
            networks: Whether modules other than the new items' ID parameters learn as well.
        """
        self._learn(self.model.learns_at(stage))
        if stage is not Stage.META_TRAIN and self.config["warm_up_learning_rate"] is not None:
            self.optimizer.set_rows_learning_rate(self.config["warm_up_learning_rate"])
        if not networks:
            for name, module in self.model.named_children():
                if name != ROWS:
                    module.requires_grad_(False)

    def _learn(self, names: tuple[str, ...]) -> None:
        """Let modules learn; their optimisers go on if they may."""
        modules = dict(self.model.named_children())  # a method may leave out some that it names
        for name, module in modules.items():
            module.requires_grad_(name in names)
        others = tuple(name for name in modules if name in names and name != ROWS)
        if self._fresh:
            self._rows = self._networks = None
        if ROWS in names and self._rows is None:
            self._rows = row_optimizer(self.config, self.model.new_ids)
        if self._networks is None or self._networks[0] != others:
            learning = nn.ModuleList(modules[name] for name in others)
            self._networks = (others, build_optimizer(self.config, learning))
        rows = self._rows if ROWS in names else None
        self.optimizer = self._networks[1].with_rows(rows)

    def train_rows(self, loader: Loader, show_progress: bool) -> None:
        """Step 2 of a method whose step 2 does not move rows: old items' rows in φ_new learn.

        So its optimiser stands where that of a method stands whose step 2 does move them. The new
        items' rows stay as they are.
        """
        self._learn((ROWS,))
        for epoch in range(self.config["meta_epochs"] or 1):
            loss = self.loss_of(Stage.WARM_UP)
            self.epoch(loader, loss, f"Old rows {epoch}", show_progress)

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

        def loss(batch: Interaction) -> Losses:
            if stage is Stage.WARM_UP and self.model.new_ids.embedding.weight.requires_grad:
                self.row_updates += len(batch[self.model.ITEM_ID].unique())
            return self.model.loss(batch, stage)

        return loss

    def state(self) -> list[dict]:
        """The optimiser that the next warm-up set goes on with; empty if it starts anew."""
        names = self.model.learns_at(Stage.WARM_UP)
        modules = dict(self.model.named_children())
        others = tuple(name for name in modules if name in names and name != ROWS)
        stands = self._networks is not None and self._networks[0] == others
        if self._fresh or not stands or (ROWS in names and self._rows is None):
            return []
        rows = self._rows if ROWS in names else None
        return self._networks[1].with_rows(rows).state_dicts()  # type: ignore[index]

    def resume(self, state: list[dict]) -> None:
        """Go on with an optimiser that was saved."""
        if state:
            self.start(Stage.WARM_UP)
            self.optimizer.load_state_dicts(state)

    def grow(self, n_items: int) -> None:
        """Make room for more items in the model and in an optimiser that goes on."""
        self.model.grow(n_items)
        if self._rows is not None:
            grow_rows(self._rows)


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
        self.bar = _bar(loader.sample_size, title) if shown else None

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __iter__(self) -> Iterator[Interaction]:
        for batch in self.loader:
            yield batch
            if self.bar is not None:
                self.bar.update(len(batch) * self.n_shards)


def _bar(n_samples: int, title: str) -> tqdm:
    title = set_color(f"{title:<12}", "pink")
    return tqdm(total=n_samples, desc=title, unit="sample", unit_scale=True, ncols=100)
