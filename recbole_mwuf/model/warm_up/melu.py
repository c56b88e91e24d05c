"""MeLU: Meta-Learned User Preference Estimator (Lee et al., KDD 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from recbole_mwuf.data import (
    PHASES,
    QUERY,
    SUPPORT,
    Batches,
    ColdStartDataset,
    InteractionHistory,
    UserQueryLoader,
    UserTaskLoader,
    latest_rows,
)
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Losses, Stage
from recbole_mwuf.parallel import Shard

_ROWS_AT_ONCE = 512  # scored rows, each with decision layers of its own

Parameters = dict[str, Tensor]


class MeLU(WarmUpMethod):
    """One model for all users whose decision layers adapt to each user in one gradient step.

    A task is a user. There are no user and item ID embeddings: all samples carry the padding ID, so
    the base tells users and items apart by their features only (and, on the item side, by the
    histories). What adapts are the decision layers: all parameters but the embedding tables and the
    encoder of a history. The base is meta-trained in step 1 and goes on learning in steps 4 to 6,
    so old items' scores move.

    A user's few samples have no stable statistics: BatchNorm layers normalise with running ones,
    which step 1 takes from its outer batches.

    Args:
        config: Uses ``melu_local_lr``, ``melu_task_size``, ``melu_min_samples``.
        dataset: The split data set.
        base: A base trained by this class's pre-training.
    """

    shares_pretrained_base = False
    learns = {Stage.WARM_UP: ("base",)}
    assigns = ("support_rows", "support_known")
    scoring_order = "user"

    def __init__(self, config: Any, dataset: ColdStartDataset, base: nn.Module | None = None):
        super().__init__(config, dataset, base)
        self.local_lr, self.task_size = config["melu_local_lr"], config["melu_task_size"]
        self.dataset = dataset
        # of every user; none is known before observe()
        size = (dataset.user_num, self.task_size // 2)
        self.register_buffer("support_rows", torch.zeros(size, dtype=torch.long))
        self.register_buffer("support_known", torch.zeros(size))
        self.before = self.now = PHASES[0]  # what was known before the latest phase, and after it
        self.norms = [m for m in self.base.modules() if isinstance(m, nn.BatchNorm1d)]
        tables = {id(m.weight) for m in self.base.modules() if isinstance(m, nn.Embedding)}
        shared = getattr(self.base, "shared_modules", ())
        self.decision_layers = [
            name
            for name, parameter in self.base.named_parameters()
            if id(parameter) not in tables and name.split(".")[0] not in shared
        ]

    def pretrain_loader(
        self, config: Any, dataset: ColdStartDataset, shard: Shard
    ) -> UserTaskLoader:
        return self.task_loader(config, "old", shard)

    def warm_up_loader(
        self, config: Any, dataset: Batches, phase: str, shard: Shard
    ) -> UserQueryLoader:
        size, batch_size = self.task_size, config["train_batch_size"]
        names = phase, self.before
        return UserQueryLoader(self.dataset, *names, size, batch_size, config["seed"], shard)

    def task_loader(self, config: Any, name: str, shard: Shard) -> UserTaskLoader:
        """The users' tasks made of one set's samples."""
        sizes = self.task_size, config["melu_min_samples"], config["train_batch_size"]
        return UserTaskLoader(self.dataset, name, *sizes, config["seed"], shard)

    def pretrain_loss(self, interaction: Interaction) -> Tensor:
        if self.norms:
            self.renew_norms(interaction)
        self.base.eval()
        return self.outer_loss(interaction)

    @torch.no_grad()
    def renew_norms(self, interaction: Interaction) -> None:
        """Take a batch into the running statistics; the first batches count alike."""
        for norm in self.norms:
            seen = 0 if norm.num_batches_tracked is None else int(norm.num_batches_tracked)
            norm.momentum = max(0.1, 1 / (seen + 1))
        self.base.train()
        self.base(Interaction(self.anonymous(interaction)))

    def loss(self, interaction: Interaction, stage: Stage) -> Losses:
        return self.outer_loss(interaction)

    def outer_loss(self, interaction: Interaction) -> Tensor:
        """The outer loss: that of the users' queries after adapting to their supports."""
        tasks = self.columns(interaction, len(interaction) // self.task_size)
        decision = self.decision_parameters()

        def query_loss(columns: Parameters) -> Tensor:
            adapted = self.adapt(decision, columns, columns[SUPPORT])
            return self.loss_of(adapted, columns, columns[QUERY])

        return vmap(query_loss, randomness="different")(tasks).mean()

    def decision_parameters(self) -> Parameters:
        """The decision layers as they are for a user of whom nothing is known."""
        parameters = dict(self.base.named_parameters())
        return {name: parameters[name] for name in self.decision_layers}

    def anonymous(self, interaction: Interaction) -> Parameters:
        """A batch's columns, all users and items being the padding."""
        columns = dict(interaction.interaction)
        for field in (self.dataset.uid_field, self.dataset.iid_field):
            columns[field] = torch.zeros_like(columns[field])
        return columns

    def columns(self, interaction: Interaction, n_tasks: int) -> Parameters:
        """An anonymous batch as tensors ``[n_tasks, rows, ...]``."""
        columns = self.anonymous(interaction)
        columns.update(self.table.shared_columns(Interaction(columns)))
        return {name: c.reshape(n_tasks, -1, *c.shape[1:]) for name, c in columns.items()}

    def logits_of(self, decision: Parameters, columns: Parameters) -> Tensor:
        """Logits of one user's rows with these decision layers, ``[rows]``."""
        output = functional_call(self.base, decision, (Interaction(columns),))
        return self.table.as_logits(output)

    def loss_of(self, decision: Parameters, columns: Parameters, weight: Tensor) -> Tensor:
        """Mean log-loss of the rows whose weight is 1; 0 if there are none."""
        logits = self.logits_of(decision, columns)
        losses = binary_cross_entropy_with_logits(logits, columns[self.LABEL], reduction="none")
        return (losses * weight).sum() / weight.sum().clamp(min=1)

    def adapt(self, decision: Parameters, columns: Parameters, support: Tensor) -> Parameters:
        """The local step on one user's support rows."""
        gradient = grad(self.loss_of)(decision, columns, support)
        return {name: value - self.local_lr * gradient[name] for name, value in decision.items()}

    def observe(self, history: InteractionHistory, phase: str) -> None:
        """Every user's latest samples up to a phase: half a task, as in training."""
        self.before, self.now = self.now, phase
        rows, known = latest_rows(self.dataset, phase, self.task_size // 2)
        self.support_rows = torch.from_numpy(rows)
        self.support_known = torch.from_numpy(known.astype(np.float32))

    @torch.no_grad()
    def predict(self, interaction: Interaction) -> Tensor:
        """Scores with decision layers adapted to what each sample's user has shown so far."""
        if not self.support_known.any():  # no one has shown anything: no one adapts
            return self.table.scores(Interaction(self.anonymous(interaction)))
        device = self.is_old.device
        users, user_of_row = interaction[self.dataset.uid_field].cpu().unique(return_inverse=True)
        rows = self.support_rows[users]
        support = self.columns(self.dataset.batch(rows.flatten().to(device)), len(users))
        weight = self.support_known[users].to(device)
        decision = self.decision_parameters()
        adapt = vmap(lambda columns, weight: self.adapt(decision, columns, weight))
        logits = []
        samples = self.columns(interaction, len(interaction))
        # rows come sorted by user: a chunk has few users, and each user adapts in one chunk or two
        for chunk in torch.arange(len(user_of_row)).split(_ROWS_AT_ONCE):
            first, last = int(user_of_row[chunk].min()), int(user_of_row[chunk].max()) + 1
            part = slice(first, last)
            adapted = adapt({n: c[part] for n, c in support.items()}, weight[part])
            which = (user_of_row[chunk] - first).to(device)
            own = {name: value[which] for name, value in adapted.items()}
            mine = {name: column[chunk.to(device)] for name, column in samples.items()}
            logits.append(vmap(self.logits_of)(own, mine).reshape(-1))
        return torch.sigmoid(torch.cat(logits))
