"""KalmanWarmUp: a new item's ID parameters have a posterior; compute it instead of stepping there.

This package's own method; docs/kalman.md has the idea, the figures and when to use it.
"""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn

from recbole_mwuf.data import EVENT_TIME, Batches, Fields, ItemLoader
from recbole_mwuf.data.dataset import select
from recbole_mwuf.data.loaders import latest
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table import ItemIDs, coordinates_of
from recbole_mwuf.model.warm_up.empirical_prior import ItemPrior, fit_prior
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.posterior import (
    Diagonal,
    Evidence,
    Gaussian,
    InformationStore,
    Triangle,
    forget,
    inverse,
    linear_evidence,
    log_loss_evidence,
    probit_scale,
    update,
)
from recbole_mwuf.parallel import Shard
from recbole_mwuf.parallel.collectives import own_shard, total

_ROWS_AT_ONCE = 4096  # samples, each with a matrix of d² numbers


class KalmanWarmUp(WarmUpMethod):
    """An extended Kalman filter, or recursive Laplace approximation, for every new item.

    The base is fixed, so an item is a logistic regression in d = k + 1 unknowns θ = [e; w], its ID
    embedding and its first-order weight (d = k where the base has none, or it does not learn).

    *Prior.* θ ~ N(x W, s Σ + diag(0, .., 0, v)), x the item's features and a constant 1: W by ridge
    regression of the old items' trained parameters, Σ the covariance of what it leaves of items
    that were left out of it; s is ``kalman_prior_scale``, v ``kalman_first_order_variance``. With
    ``kalman_prior=common`` x is the constant alone, so the mean is that of the old items.

    *Update.* For samples with labels y, logits f, p = σ(f) and J = ∂f/∂θ, with N(m, P) what was
    known before them, some Newton steps from θ = m (``kalman_iterations``):
    H = P⁻¹ + Σ p (1 - p) J Jᵀ, g = Σ (y - p) J - P⁻¹ (θ - m), θ ← θ + H⁻¹ g.
    Then N(θ, H⁻¹) is what is known. Batches in any order give the same, up to linearisation.

    θ is in the coordinates that the base names (``id_coordinates``): for AFN log |e|, where the
    signs of e are those of the old items' mean.

    Memory: per item d (d + 1) / 2 float32 of information beside the row itself, 612 bytes at
    k = 16; with ``kalman_covariance=diagonal`` d, 68 bytes: the prior's correlations, which are the
    same for all items, and each parameter's own variance. While a batch is learned from, some
    matrices of d² float64 for each of *its* items and samples.

    Args:
        config: Uses the settings ``kalman_*`` and ``warm_up_first_order``.
        dataset: The split data set.
        base: A trained base.

    Attributes:
        information: By item, what its samples have added to the prior's precision, packed.
        last_time: By item, the time of its latest sample; 0 before the first.
        prior: W, the prior's precision, and signs where the coordinates do not say them.
    """

    learns = {}
    closed_form = True
    ignores = ("warm_up_epochs", "warm_up_optimizer", "warm_up_learning_rate", "old_item_mean")
    knows_uncertainty = True
    assigns = ("new_ids", "information", "last_time", "prior")

    information: Tensor
    last_time: Tensor

    def __init__(self, config: Any, dataset: Fields, base: nn.Module | None = None):
        super().__init__(config, dataset, base)
        self.iterations, self.drift = config["kalman_iterations"], config["kalman_drift"]
        self.probit, self.folds = config["kalman_probit"], config["kalman_folds"]
        self.scale, self.penalty = config["kalman_prior_scale"], config["kalman_ridge"]
        self.first_order_variance = config["kalman_first_order_variance"]
        if self.probit:
            self.not_exported = "kalman_probit=True, which needs what is known of each item"
        self.coordinates = coordinates_of(self.base)
        n_items, k = self.table.n_items, self.table.size
        size = k + self.new_ids.learns_first_order
        kind = Diagonal if config["kalman_covariance"] == "diagonal" else Triangle
        self.store: InformationStore = kind(size)
        if config["kalman_prior"] == "content":
            self.register_item_features(config, ", or take kalman_prior=common")
        n_features = self.features(self.all_items()[:1]).shape[1]
        self.prior = ItemPrior(n_features, size, k)
        self.register_buffer("information", torch.zeros(n_items, self.store.width))
        self.register_buffer("last_time", torch.zeros(n_items, dtype=torch.float64))
        self.to(config["device"])

    # the prior

    def features(self, items: Tensor) -> Tensor:
        """What the prior's mean is linear in, ``[B, n_features]``; nothing if it is common."""
        if "item_features" in self._buffers:
            return self.item_features[items]
        return self.new_ids.embedding.weight.new_zeros(len(items), 0)

    @torch.no_grad()
    def fit_prior(self) -> None:
        """Fit W and Σ on the old items.

        Raises:
            UserError: if there are fewer than two.
        """
        old = self.is_old.nonzero().squeeze(1)
        if len(old) < 2:
            raise UserError(
                f"model=KalmanWarmUp learns its prior from old items, but there are {len(old)}; "
                "lower old_item_threshold"
            )
        theta = self.theta_of(self.table.rows(old))
        fitted = fit_prior(self.features(old), theta, self.folds, self.penalty)
        covariance = self.scale * fitted.covariance
        if self.new_ids.learns_first_order:
            covariance[-1, -1] += self.first_order_variance
        self.prior.set(fitted.weights, covariance, self.mean_of_old_items().embedding)

    def start_new_items(self) -> None:
        """Step 3: the prior is fitted on the base as it is now; nothing has been learned yet."""
        self.fit_prior()
        self.information.zero_()
        self.last_time.zero_()
        super().start_new_items()

    def start(self, items: Tensor) -> ItemIDs:
        """The prior's mean, x W."""
        theta = self.prior.mean(self.features(items))
        return self.ids_of(theta, self.prior.signs, super().start(items).first_order)

    # parameters and what is known of them

    def theta_of(self, ids: ItemIDs) -> Tensor:
        """θ of ID parameters, ``[B, d]``."""
        theta = self.coordinates.of(ids.embedding)
        if not self.new_ids.learns_first_order:
            return theta
        assert ids.first_order is not None
        return torch.cat([theta, ids.first_order], dim=1)

    def ids_of(self, theta: Tensor, signs: Tensor, first_order: Tensor | None) -> ItemIDs:
        """ID parameters of θ ``[B, d]``; differentiable.

        Args:
            theta: θ.
            signs: Of the embeddings, where the coordinates do not say.
            first_order: First-order weights where they are no part of θ.
        """
        k = self.table.size
        embedding = self.coordinates.embedding(theta[:, :k], signs)
        return ItemIDs(embedding, theta[:, k:] if theta.shape[1] > k else first_order)

    def has_samples(self, items: Tensor) -> Tensor:
        """Whether anything has been learned of items ``[n]``, bool."""
        return self.information[items].any(dim=1)

    @torch.no_grad()
    def believed(self, items: Tensor, time: Tensor | None = None) -> Gaussian:
        """What is known of items ``[n]``, float64.

        With ``kalman_drift`` q an item that was last seen Δt ago is known less well, as if it had
        been moved at random: P ← P + min(q Δt, 1) P0, P0 the prior's covariance. The limit is for
        a q that is meant for another unit of time: what is kept in float32 stays a precision.

        Args:
            items: Item IDs.
            time: For each; None: as of its latest sample.
        """
        precision = self.prior.precision + self.store.unpack(self.information[items])
        known = Gaussian(self.theta_of(self.new_ids(items)).double(), precision)
        if time is None or self.drift == 0:
            return known
        since = (time - self.last_time[items]).clamp(min=0)
        moved = (self.drift * since).clamp(max=1) * self.has_samples(items)  # a prior has no time
        return forget(known, moved.view(-1, 1, 1) * inverse(self.prior.precision))

    # learning

    def warm_up_loader(self, config: Any, dataset: Batches, phase: str, shard: Shard) -> ItemLoader:
        """Whole items, for every process: :meth:`absorb` shares the work on a batch."""
        return ItemLoader(dataset, phase, _ROWS_AT_ONCE)

    @torch.no_grad()
    def absorb(self, interaction: Interaction) -> None:
        """The update, for all items of a batch at once; of several processes each adds its share.

        Where each item has one sample, the base is linearised once; else anew for every iteration.

        Args:
            interaction: All that is new of some items.
        """
        items, item_of_row = interaction[self.ITEM_ID].unique(return_inverse=True)
        time = latest(interaction[EVENT_TIME], item_of_row, len(items))
        shard, share, is_shared = own_shard(), interaction, False
        if shard.size > 1:
            rows = shard.of(torch.arange(len(item_of_row), device=items.device))
            is_shared = len(rows) < len(item_of_row)
            share, item_of_row = Interaction(select(interaction, rows)), item_of_row[rows]
        share = Interaction({**share.interaction, **self.table.shared_columns(share)})
        ids, ids_of_row = self.new_ids(items), self.new_ids(share[self.ITEM_ID])

        def evidence(theta: Tensor, which: Tensor) -> Evidence:
            batch, at, own = share, item_of_row, ids_of_row
            if len(which) < len(items):
                place = torch.full_like(items, -1)
                place[which] = torch.arange(len(which), device=items.device)
                rows = (place[item_of_row] >= 0).nonzero().squeeze(1)
                batch, at = Interaction(select(share, rows)), place[item_of_row[rows]]
                own = ids_of_row.chosen(rows)
            logits, jacobian = self.linearised(batch, theta[at], own)
            found = log_loss_evidence(logits, batch[self.LABEL], jacobian, at, len(which))
            return Evidence(*total(list(found))) if is_shared else found

        known = self.believed(items, time)
        if len(items) == len(interaction) and not is_shared:
            order = item_of_row.argsort()  # one sample hardly moves an item: one pass is enough
            logits, jacobian = self.linearised(share, known.mean[item_of_row], ids_of_row)
            f, y, j = logits[order], share[self.LABEL][order], jacobian[order]
            posterior = update(known, linear_evidence(f, y, j, known.mean), self.iterations)
        else:
            posterior = update(known, evidence, self.iterations)
        learned = self.ids_of(posterior.mean.float(), ids.embedding.sign(), ids.first_order)
        self.new_ids.assign(items, learned)
        gained = posterior.precision - self.prior.precision
        before = self.last_time[items].where(self.has_samples(items), time)  # may be below 0
        self.last_time[items] = torch.maximum(before, time)
        self.information[items] = self.store.pack(gained, self.prior.precision)

    def linearised(
        self, interaction: Interaction, theta: Tensor, ids: ItemIDs
    ) -> tuple[Tensor, Tensor]:
        """f and J = ∂f/∂θ of every sample by one forward and one backward pass for all.

        Every sample has its own row of θ, so that the gradient of the sum of all logits has the
        samples' own gradients as its rows.

        Args:
            interaction: B samples.
            theta: ``[B, d]``.
            ids: Where their signs, and what θ leaves out, are taken from; a row for every sample.

        Returns:
            tuple: ``[B]`` and ``[B, d]``, without gradient.
        """
        if not len(theta):  # of several processes, one may have no part in an item
            return theta.new_zeros(0), theta
        with torch.enable_grad():
            theta = theta.detach().to(ids.embedding.dtype).requires_grad_()
            moved = self.ids_of(theta, ids.embedding.sign(), ids.first_order)
            logits = self.table.logits(interaction, moved)
            one_each = logits.new_ones(()).expand_as(logits)  # the gradient of their sum
            (jacobian,) = torch.autograd.grad(logits, theta, one_each)
        return logits.detach(), jacobian

    # scoring

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B]`` at the posterior's mean; with ``kalman_probit`` σ(f)'s mean over it.

        That is σ(f / sqrt(1 + π/8 · Jᵀ P J)), nearly.
        """
        scores = super().predict(interaction)
        if not self.probit:
            return scores
        logits, variance = self.uncertainty(interaction)
        corrected = torch.sigmoid(logits / probit_scale(variance))
        return torch.where(self.is_old[interaction[self.ITEM_ID]], scores, corrected)

    @torch.no_grad()
    def uncertainty(self, interaction: Interaction) -> tuple[Tensor, Tensor]:
        items = interaction[self.ITEM_ID]
        is_old = self.is_old[items]
        ids = ItemIDs.where(is_old, self.table.rows(items), self.warm(items))
        logits, jacobian = self.linearised(interaction, self.theta_of(ids), ids)
        known, item_of_row = items.unique(return_inverse=True)
        covariance = self.believed(known).covariance().float()
        parts = zip(jacobian.split(_ROWS_AT_ONCE), item_of_row.split(_ROWS_AT_ONCE))
        variance = [torch.einsum("bi,bij,bj->b", j, covariance[item], j) for j, item in parts]
        return logits, torch.cat(variance).masked_fill(is_old, 0.0)

    @torch.no_grad()
    def draw(self, items: Tensor, generator: torch.Generator) -> ItemIDs:
        known, ids = self.believed(items), self.new_ids(items)
        noise = torch.randn(known.mean.shape, generator=generator, dtype=known.mean.dtype)
        theta = known.draw(noise.to(items.device)).float()
        return self.ids_of(theta, ids.embedding.sign(), ids.first_order)
