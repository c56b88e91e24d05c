"""RecBole's Trainer with a progress bar in samples and checkpoints without pickled code."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import torch
from recbole.data.interaction import Interaction
from recbole.trainer import Trainer
from recbole.utils import calculate_valid_score, set_color
from torch import Tensor, nn
from tqdm import tqdm

from recbole_mwuf.data import SetLoader
from recbole_mwuf.distributed import average_gradients, average_statistics, world_size
from recbole_mwuf.trainer import checkpoint
from recbole_mwuf.trainer.optimizer import OptimizerGroup, row_wise
from recbole_mwuf.trainer.row_wise_adam import RowWiseAdam


class BaseTrainer(Trainer):
    """Trains a base on the old items (step 1); fit, logging and losses are RecBole's.

    Args:
        config: RecBole's settings.
        model: The base.
        loss_func: Batch -> loss; default: the base's own.

    Attributes:
        stage: Names the step in the progress bar and in tensorboard.
        seconds: Time spent in training epochs.
        samples: Samples seen in training epochs.
    """

    stage = "Pre-train"

    def __init__(self, config, model: nn.Module, loss_func: Callable | None = None):
        super().__init__(config, model)
        self.loss_func = loss_func
        self.seconds = 0.0
        self.samples = 0
        self._best_state: dict | None = None

    def _build_optimizer(self, **kwargs):
        """RecBole's optimiser for dense parameters, a row-wise one for tables with sparse rows.

        Dense Adam would also move the rows that are absent from a batch, by their moments, and
        takes time in proportion to the table, not to the batch.
        """
        params = [p for p in self.model.parameters() if p.requires_grad]
        rows = [p for p in row_wise(self.model) if p.requires_grad]
        dense = [p for p in params if not any(p is row for row in rows)]
        if rows and self.weight_decay:
            self.logger.warning(
                f"weight_decay={self.weight_decay} does not act on tables with row-wise updates "
                "(new items' IDs; others if sparse_embedding is on)"
            )
        return OptimizerGroup(
            RowWiseAdam(rows, lr=self.learning_rate) if rows else None,
            super()._build_optimizer(params=dense) if dense else None,
        )

    def _train_epoch(self, train_data, epoch_idx, loss_func=None, show_progress=False):
        """One pass over the samples.

        RecBole's loop reads the loss after every batch, which makes a GPU wait for it. Here the
        losses stay on the device and are read, and checked, once.

        Returns:
            float | tuple[float, ...]: the mean loss of a batch; a loss in parts, part by part.
        """
        if len(train_data) == 0:
            self.logger.warning(f"{self.stage}: no samples to learn from")
            return 0.0
        start = perf_counter()
        self.model.train()
        loss_func = loss_func or self.loss_func or self.model.calculate_loss
        scaler = torch.amp.GradScaler(self.device.type, enabled=self.enable_scaler)
        with _Progress(train_data, f"{self.stage} {epoch_idx}", show_progress) as bar:
            total = torch.zeros((), dtype=torch.float64, device=self.device)
            for batch in bar:
                total = total + self._train_batch(batch, loss_func, scaler)
        average_statistics(self.model)
        self._check_nan(total.sum())
        self.seconds += perf_counter() - start
        self.samples += train_data.sample_size
        mean = (total / len(train_data)).tolist()
        return tuple(mean) if isinstance(mean, list) else mean

    def _train_batch(self, batch: Interaction, loss_func: Callable, scaler) -> Tensor:
        """One step; returns the loss, or its parts, shape ``[]`` or ``[n_parts]``."""
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, enabled=self.enable_amp):
            loss = loss_func(batch)
        if isinstance(loss, tuple):
            loss = torch.stack(loss)
        scaler.scale(loss.sum()).backward()
        loss = average_gradients(self.model.parameters(), loss.detach(), len(batch))
        if self.clip_grad_norm:
            self.optimizer.clip_grad_norm(**self.clip_grad_norm)
        self.optimizer.step(scaler)
        return loss

    def _add_train_loss_to_tensorboard(self, epoch_idx, losses, tag="Loss/Train"):
        super()._add_train_loss_to_tensorboard(epoch_idx, losses, f"{tag} {self.stage}")

    def train(self, train_data: SetLoader, validate: Callable[[], dict]) -> None:
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

    def _valid_epoch(self, valid_data, show_progress=False):
        result = valid_data()
        return calculate_valid_score(result, self.valid_metric), result

    def _save_checkpoint(self, epoch, verbose=True, **kwargs):
        """No file after an epoch: a stage is saved once, by name, when it is complete."""
        if self.eval_step > 0:  # then this is the best epoch so far
            state = self.model.state_dict()
            self._best_state = {name: value.clone() for name, value in state.items()}

    def save_base(self, path, dataset, trained_for: str) -> None:
        """Write the trained base, for ``pretrained_base``; a method's own base names it."""
        names = {"model": self.config["base"], "trained_for": trained_for}
        checkpoint.save(path, "base", self.model, dataset, **names)
        self.logger.info(set_color("Saving base", "blue") + f": {path}")


class _Progress:
    """Batches of a loader under a tqdm bar that counts samples."""

    def __init__(self, loader: SetLoader, title: str, shown: bool):
        self.loader = loader
        self.bar = tqdm(
            total=loader.sample_size,
            desc=set_color(f"{title:<12}", "pink"),
            unit="sample",
            unit_scale=True,
            ncols=100,
            disable=not shown,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()

    def __iter__(self):
        for batch in self.loader:
            yield batch
            self.bar.update(len(batch) * world_size())
