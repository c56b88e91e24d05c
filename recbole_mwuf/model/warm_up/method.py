"""The contract of a warm-up method: how new items start, what scores them, what learns when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import AbstractRecommender
from recbole.utils import InputType, ModelType
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from recbole_mwuf.data import Batches, ColdStartDataset, Fields, InteractionHistory, Loader
from recbole_mwuf.data.catalog import resized
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.item_table import ItemIDs, item_table_of
from recbole_mwuf.model.objective import objective_of
from recbole_mwuf.model.warm_up.capabilities import Capabilities
from recbole_mwuf.model.warm_up.full_sort import scores_of_all_items
from recbole_mwuf.model.warm_up.item_ids import ItemIDStore
from recbole_mwuf.model.warm_up.served import Served
from recbole_mwuf.model.warm_up.stage import Losses, Stage
from recbole_mwuf.parallel import Shard
from recbole_mwuf.settings import Setting, read_search_space


class WarmUpMethod(Capabilities, AbstractRecommender):
    """A fixed base whose new items have ID parameters of their own, in ``new_ids``.

    Old items are scored with the base's own ID parameters, so their scores are those of the base,
    bit for bit. A method overrides what is its own; docs/add_a_method.md shows how, and
    :class:`recbole_mwuf.testing.MethodConformance` proves it.

    What happens when, in a run:

    - The method is built on an untrained base, to refuse early what does not fit, then on the
      trained one. It ends its constructor with ``self.to(config["device"])``.
    - Step 2, if it :attr:`has_meta_training`: :meth:`observe` with ``cold``, then :meth:`loss` for
      every batch of :meth:`meta_loader`.
    - Step 3: :meth:`start_new_items`, which asks :meth:`start`, and :meth:`observe` with ``cold``.
    - Steps 4 to 6, for each warm-up set: :meth:`predict` scores it, :meth:`observe` is told of its
      users, then comes :meth:`loss` for every batch of :meth:`warm_up_loader`.

    Online the same methods are called for what comes in: :meth:`note` and :meth:`loss` for events,
    :meth:`grow` and :meth:`add_items` for items, :meth:`promote` for those that have become old.

    A checkpoint holds parameters and buffers: what a method has to remember is one of them. A
    buffer of its own with a row for every item grows with the items. Random numbers are drawn from
    the generators of torch and numpy, which are seeded before every step.

    Args:
        config: The run's settings; its ``base_class`` is that of the base.
        dataset: The split data set, or what stands in for it when a checkpoint is rebuilt: then
            there are no interactions, only fields, features and tokens.
        base: A trained base; None builds an untrained one, to be loaded from a checkpoint.

    Attributes:
        settings: The method's own settings by name; None: those of ``properties/model/NAME.yaml``.
            Two are read for it if it declares them: ``meta_epochs``, the epochs of step 2 (else 1),
            and ``interacted_users`` (``all | positive``), the samples that count for U(v).
        search_space: What the tuner tries, in the format of RecBole's ``.hyper`` files; None: the
            file ``properties/hyper/NAME.hyper``.
        learns: By stage, the modules that gradients may move; none for a stage left out, but
            online as in warm-up. Everything else is fixed at that stage.
        assigns: Modules and buffers that the method may set outright.
        reads_users: Whether it wants to :meth:`note` who interacted with an item.
        shares_pretrained_base: Whether it works on the base as RecBole trains it; else it
            pre-trains one of its own by :meth:`pretrain_loss`.
        scoring_order: ``data``: scored rows come in the order of the data; ``user``: by user.
        base: The base; it requires no gradient unless ``learns`` names it.
        table: The base with other ID parameters in place, an
            :class:`~recbole_mwuf.model.item_table.ItemTable`.
        new_ids: The ID parameters of items that are not old, row by row.
        is_old: Items that the base knows, bool ``[n_items]``.
        item_features: X_v, after :meth:`register_item_features`.
    """

    type = ModelType.CONTEXT
    input_type = InputType.POINTWISE

    settings: Mapping[str, Setting] | None = None
    search_space: str | None = None
    learns: Mapping[Stage, tuple[str, ...]] = {Stage.WARM_UP: ("new_ids",)}
    assigns: tuple[str, ...] = ()
    reads_users = False
    shares_pretrained_base = True
    scoring_order = "data"

    is_old: Tensor
    item_features: Tensor

    def __init__(self, config: Any, dataset: Fields, base: nn.Module | None = None):
        super().__init__()
        self.ITEM_ID = dataset.iid_field
        self.LABEL = dataset.label_field
        self.positive_users_only = config["interacted_users"] == "positive"
        self.geometric_mean = config["old_item_mean"] == "geometric"
        self.base = create_base(config, dataset) if base is None else base
        self.base.requires_grad_(False)
        # hold the base without being modules: parameters are listed once
        self.table = item_table_of(self.base, dataset)
        self.objective = objective_of(self.base, config)
        learns_first_order = self.table.has_first_order and config["warm_up_first_order"]
        self.new_ids = ItemIDStore.beside(self.table, learns_first_order)
        self.register_buffer("is_old", torch.from_numpy(dataset.is_old))
        self.to(config["device"])
        self.new_ids.assign(self.all_items(), self.mean_of_old_items())

    @classmethod
    def search_space_text(cls) -> str | None:
        """What the tuner tries; None if nothing is declared."""
        return read_search_space(cls.__name__) if cls.search_space is None else cls.search_space

    def train(self, mode: bool = True) -> WarmUpMethod:
        """Switch the method's own modules; a fixed base stays in evaluation mode (BatchNorm)."""
        self.training = mode
        for name, module in self.named_children():
            module.train(mode and name != "base")
        return self

    # what a method says of itself

    def learns_at(self, stage: Stage) -> tuple[str, ...]:
        """The modules that gradients may move at a stage; online the same as in warm-up."""
        same_as = Stage.WARM_UP if stage is Stage.ONLINE else stage
        return self.learns.get(stage, self.learns.get(same_as, ()))

    @property
    def has_meta_training(self) -> bool:
        """Whether step 2, training extra modules on the old items, has anything to learn."""
        return bool(self.learns_at(Stage.META_TRAIN))

    def start(self, items: Tensor) -> ItemIDs:
        """The ID parameters of items ``[B]`` before their first interaction.

        Called for all items in step 3, where the rows of old ones are ignored, and online for those
        that are added; without gradient.

        Returns:
            ItemIDs: a row for every item, or one row that is meant for all of them; by default
            the mean of the old items' (MWUF paper, section 3.2).
        """
        return self.mean_of_old_items()

    def warm(self, items: Tensor) -> ItemIDs:
        """The ID parameters that score new items, a row for each of a batch's items ``[B]``.

        A method that changes them here lets them learn so in :meth:`loss`.
        """
        return self.new_ids(items)

    def note(self, items: Tensor, mean_users: Tensor) -> None:
        """Take note of who has interacted with items ``[B]`` so far; only if it reads users.

        In a run these are all items, old ones included, online those with new events.

        Args:
            items: Item IDs.
            mean_users: G(U(v)), the mean embedding of their users, ``[B, k]``.
        """

    def loss(self, interaction: Interaction, stage: Stage) -> Losses:
        """The mean loss of a batch, or its parts, whose sum is learned from.

        By default the base's loss with the items' rows of ``new_ids``.

        Args:
            interaction: A batch of the loader of this stage: B samples with labels.
            stage: What it is for. Online a batch may be a single sample.
        """
        return self.log_loss(interaction, self.new_ids(interaction[self.ITEM_ID]))

    def pretrain_loss(self, interaction: Interaction) -> Tensor:
        """The loss of step 1, for a method that trains a base of its own."""
        raise NotImplementedError

    def pretrain_loader(self, config: Any, dataset: ColdStartDataset, shard: Shard) -> Loader:
        """The samples of step 1: those of the old items."""
        return self.objective.loader(config, dataset, "old", "shuffled", shard)

    def meta_loader(self, config: Any, dataset: ColdStartDataset, shard: Shard) -> Loader:
        """The samples of step 2: those of the old items."""
        return self.objective.loader(config, dataset, "old", "shuffled", shard)

    def warm_up_loader(self, config: Any, dataset: Batches, phase: str, shard: Shard) -> Loader:
        """The samples of steps 4 to 6: those of one warm-up set.

        Online those of some events, with ``online`` as the phase: the data set has no others then.
        """
        return self.objective.loader(config, dataset, phase, "shuffled", shard)

    def served_modules(self) -> dict[str, Served]:
        """Further functions to export for serving, by file name; see :mod:`recbole_mwuf.online`."""
        return {}

    # what every method can use
    def log_loss(self, interaction: Interaction, ids: ItemIDs) -> Tensor:
        """The base's mean loss of a batch in which every sample's item has the given IDs."""
        return self.objective.loss(self.table, interaction, ids)

    def log_losses(self, interaction: Interaction, *ids: ItemIDs) -> tuple[Tensor, ...]:
        """:meth:`log_loss` for each of several ID parameters, on a base that is fixed."""
        return self.objective.losses(self.table, interaction, *ids)

    def mean_of_old_items(self) -> ItemIDs:
        """The mean over *trained* rows, those of old items, as one row ``[1, k]``."""
        rows = self.table.rows(self.is_old.nonzero().squeeze(1))
        return rows.mean(self.geometric_mean)

    def register_item_features(self, config: Any, otherwise: str = "") -> None:
        """Keep X_v of every item, flattened, as ``item_features`` ``[n_items, n_features · k]``.

        It is fixed while the base is: computed once.

        Args:
            config: Names data set and method in the message.
            otherwise: How to do without features.

        Raises:
            UserError: if the data set has no item features.
        """
        features = self.table.item_features().flatten(1)
        if features.shape[1] == 0:
            raise UserError(
                f"dataset={config['dataset']} has no item features, but model={config['model']} "
                f"reads them: load some with load_col{otherwise}"
            )
        self.register_buffer("item_features", features)

    def all_items(self) -> Tensor:
        """Every item ID, padding included, shape ``[n_items]``."""
        return torch.arange(self.table.n_items, device=self.is_old.device)

    # what the trainers and the online part call
    @torch.no_grad()
    def start_new_items(self) -> None:
        """Step 3: give all items but the old ones what they :meth:`start` with."""
        items, is_new = self.all_items(), ~self.is_old
        self.new_ids.assign(items[is_new], self.start(items).chosen(is_new))

    def observe(self, history: InteractionHistory, phase: str) -> None:
        """Take note of the users up to a phase: ``cold`` before steps 2 and 3, then each set's."""
        if self.reads_users:
            self.note(self.all_items(), self.mean_interacted_users(history, phase))

    def mean_interacted_users(self, history: InteractionHistory, phase: str) -> Tensor:
        """G(U(v)), MWUF paper, Eq. 4: the mean embedding of each item's users, ``[n_items, k]``.

        ``interacted_users`` says which samples count; an item without users gets the zero vector.
        """
        users, offsets = (
            torch.from_numpy(part).to(self.is_old.device)
            for part in history.bags(phase, self.positive_users_only)
        )
        return embedding_bag(users, self.table.users(), offsets, mode="mean")

    def calculate_loss(self, interaction: Interaction) -> Losses:
        """:meth:`loss` of steps 4 to 6, under RecBole's name."""
        return self.loss(interaction, Stage.WARM_UP)

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores of a batch that may mix old and new items, shape ``[B]``."""
        items = interaction[self.ITEM_ID]
        own, warm = self.table.rows(items), self.warm(items)
        return self.table.scores(interaction, ItemIDs.where(self.is_old[items], own, warm))

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores of every item for each user of a batch, ``[B · n_items]``; for RecBole."""
        return scores_of_all_items(self, interaction)

    def grow(self, n_items: int) -> None:
        """Make room for more items; :meth:`add_items` says what they are.

        A method with tables of its own lets them grow as well.
        """
        for name, buffer in list(self.named_buffers(recurse=False)):
            if buffer.dim() and len(buffer) == self.table.n_items:
                setattr(self, name, resized(buffer, n_items, *buffer.shape[1:]))
        self.table.grow(n_items)
        self.new_ids.grow(n_items)

    @torch.no_grad()
    def add_items(self, items: Tensor) -> None:
        """Start items ``[B]`` that no one has seen yet; their features are known to the base."""
        if "item_features" in self._buffers:
            self.item_features[items] = self.table.features_of(items).flatten(1)
        self.new_ids.assign(items, self.start(items))

    @torch.no_grad()
    def promote(self, items: Tensor) -> None:
        """Hand items ``[B]`` over to the base: what they are scored with becomes their own rows."""
        self.table.assign(items, self.warm(items))
        self.is_old[items] = True
