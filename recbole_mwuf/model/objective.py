"""What a base learns from, and with it the new items' ID parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import ContextRecommender
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from recbole_mwuf.data import Batches, Loader, SetLoader
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table import ItemIDs, ItemTable
from recbole_mwuf.parallel import Shard


class Objective(ABC):
    """The samples and the loss of a family of bases.

    Attributes:
        metrics: Kinds of metrics that score it, as RecBole's ``EvaluatorType`` calls them.
    """

    metrics: tuple[str, ...]

    @abstractmethod
    def loader(self, config: Any, dataset: Batches, name: str, order: str, shard: Shard) -> Loader:
        """Batches to train on: one set's samples in an order, this process's part of each."""

    @abstractmethod
    def losses(
        self, table: ItemTable, interaction: Interaction, *ids: ItemIDs
    ) -> tuple[Tensor, ...]:
        """For each of several ID parameters of a batch's items the loss of every sample, ``[B]``.

        One forward pass serves them all where the base allows it: it must be fixed then.
        """

    @abstractmethod
    def loss(
        self, table: ItemTable, interaction: Interaction, ids: ItemIDs, reduction: str = "mean"
    ) -> Tensor:
        """The loss of a batch whose items have the given ID parameters, a row for every sample."""


class Labelled(Objective):
    """Samples with a 0/1 label and the log-loss (MWUF paper, Eq. 2).

    Args:
        label_field: Where the labels stand.
    """

    metrics = ("VALUE",)

    def __init__(self, label_field: str):
        self.label_field = label_field

    def loader(
        self, config: Any, dataset: Batches, name: str, order: str, shard: Shard
    ) -> SetLoader:
        return SetLoader.training(config, dataset, name, order, shard)

    def loss(
        self, table: ItemTable, interaction: Interaction, ids: ItemIDs, reduction: str = "mean"
    ) -> Tensor:
        logits = table.logits(interaction, ids)
        labels = interaction[self.label_field]
        return binary_cross_entropy_with_logits(logits, labels, reduction=reduction)

    def losses(
        self, table: ItemTable, interaction: Interaction, *ids: ItemIDs
    ) -> tuple[Tensor, ...]:
        labels = interaction[self.label_field]
        each = table.logits_of_each(interaction, ids)
        return tuple(binary_cross_entropy_with_logits(logits, labels) for logits in each)


def objective_of(base: nn.Module, config: Any) -> Objective:
    """What a base learns from, by its RecBole type.

    Raises:
        UserError: if it is a base that cannot be warmed up yet.
    """
    if isinstance(base, ContextRecommender):
        return Labelled(config["LABEL_FIELD"])
    raise UserError(
        f"base={type(base).__name__} does not predict a label; warm-up needs a context-aware base"
    )
