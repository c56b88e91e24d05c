"""What every method shares: a fixed base and an ID table for new items beside the base's own."""

from __future__ import annotations

import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import AbstractRecommender, ContextRecommender
from recbole.utils import InputType, ModelType
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, embedding_bag

from recbole_mwuf.data import ColdStartDataset, InteractionHistory, SetLoader
from recbole_mwuf.data.catalog import resized
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.item_embedding import ItemEmbedding, ItemIDs

_SMALLEST = 1e-7  # keeps the logarithm of a component finite


class ItemIDTable(nn.Module):
    """φ_new: ID parameters of every item beside the base's own, with row-wise gradients.

    Args:
        n_items: Number of item IDs.
        size: Dimension k of an embedding.
        has_first_order: Whether items also have a first-order weight.
        learns_first_order: Whether that weight takes a gradient.
    """

    def __init__(self, n_items: int, size: int, has_first_order: bool, learns_first_order: bool):
        super().__init__()
        self.embedding = nn.Embedding(n_items, size, sparse=True)
        self.first_order = nn.Embedding(n_items, 1, sparse=True) if has_first_order else None
        self.learns_first_order = learns_first_order

    def forward(self, items: Tensor) -> ItemIDs:
        if self.first_order is None:
            return ItemIDs(self.embedding(items))
        first_order = self.first_order(items)
        return ItemIDs(
            self.embedding(items), first_order if self.learns_first_order else first_order.detach()
        )

    @torch.no_grad()
    def assign(self, items: Tensor, ids: ItemIDs) -> None:
        """Set the rows of some items; one row in ``ids`` is given to all of them."""
        self.embedding.weight[items] = ids.embedding
        if self.first_order is not None and ids.first_order is not None:
            self.first_order.weight[items] = ids.first_order

    def grow(self, n_items: int) -> None:
        """Make room for more items; the tables stay the parameters that an optimiser knows."""
        for table in (self.embedding, self.first_order):
            if table is not None:
                table.weight.data = resized(table.weight.data, n_items, table.embedding_dim)
                table.num_embeddings = n_items


class WarmUpModel(AbstractRecommender):
    """A base model whose new items have ID parameters of their own.

    The base is never touched: it stays in evaluation mode and takes no gradient. Old items are
    scored with the base's own ID parameters, so their scores are those of the base, bit for bit.
    A method overrides what is its own: how new items start, what scores them, what is learned.

    Args:
        config: The run's settings; ``config["base"]`` names the base.
        dataset: The split data set.
        base: A trained base; None builds an untrained one, to be loaded from a checkpoint.
    """

    type = ModelType.CONTEXT
    input_type = InputType.POINTWISE

    is_old: Tensor
    item_features: Tensor

    # whether the method works on the base as RecBole trains it; else see pretrain_loss
    shares_pretrained_base = True
    # data: scored rows in the order of the data; user: sorted by user
    scoring_order = "data"
    # the modules that each step may move by gradient, and the state that it may set
    # outright; everything else stays as it is, bit for bit
    learns_in_meta_training: tuple[str, ...] = ()
    learns_in_warm_up: tuple[str, ...] = ("new_ids",)
    assigns: tuple[str, ...] = ()
    # whether it learns of an item's users, through note_users
    reads_users = False

    def __init__(self, config, dataset: ColdStartDataset, base: ContextRecommender | None = None):
        super().__init__()
        self.ITEM_ID = dataset.iid_field
        self.LABEL = dataset.label_field
        self.positive_users_only = config["interacted_users"] == "positive"
        self.geometric_mean = config["old_item_mean"] == "geometric"
        self.base = create_base(config, dataset) if base is None else base
        self.base.requires_grad_(False)
        # holds the base without being a module: parameters are listed once
        self.item_embedding = ItemEmbedding(self.base, dataset)
        size, n_items = self.item_embedding.size, self.item_embedding.n_items
        has_first_order = self.item_embedding.has_first_order
        self.new_ids = ItemIDTable(n_items, size, has_first_order, config["warm_up_first_order"])
        self.register_buffer("is_old", torch.from_numpy(dataset.split.is_old))
        self.to(config["device"])
        self.initialise_ids()

    def train(self, mode: bool = True) -> WarmUpModel:
        """Switch the method's own modules; a fixed base stays in evaluation mode (BatchNorm)."""
        self.training = mode
        for name, module in self.named_children():
            module.train(mode and name != "base")
        return self

    @property
    def has_meta_training(self) -> bool:
        """Whether step 2, training extra modules on the old items, has anything to learn."""
        return bool(self.learns_in_meta_training)

    def initialise_ids(self) -> None:
        """Step 2: the ID parameters that every item has before its first interaction."""
        self.new_ids.assign(self.all_items(), self.mean_of_old_items())

    def first_ids(self, items: Tensor) -> ItemIDs:
        """The ID parameters of trained items ``[B]`` before their first interaction.

        One row stands for all where it is the same for all.
        """
        return self.mean_of_old_items()

    def grow(self, n_items: int) -> None:
        """Make room for more items; :meth:`add_items` says what they are."""
        self.item_embedding.grow(n_items)
        self.new_ids.grow(n_items)
        for name, per_item in list(self.named_buffers(recurse=False)):
            setattr(self, name, resized(per_item, n_items, *per_item.shape[1:]))

    @torch.no_grad()
    def add_items(self, items: Tensor) -> None:
        """Start items ``[B]`` whose features are in the data set and that no one has seen yet."""
        if "item_features" in self._buffers:
            self.item_features[items] = self.item_embedding.features_of(items).flatten(1)
        self.new_ids.assign(items, self.first_ids(items))

    @torch.no_grad()
    def graduate(self, items: Tensor) -> None:
        """Hand items ``[B]`` over to the base: what they are scored with becomes their own rows."""
        self.item_embedding.assign(items, self.warm_ids(items))
        self.is_old[items] = True

    def all_items(self) -> Tensor:
        """Every item ID, padding included, shape ``[n_items]``."""
        return torch.arange(self.item_embedding.n_items, device=self.is_old.device)

    def mean_of_old_items(self) -> ItemIDs:
        """The common initial ID (section 3.2): the mean over *trained* rows, those of old items."""
        rows = self.item_embedding.rows(self.is_old.nonzero().squeeze(1))
        first_order = None if rows.first_order is None else rows.first_order.mean(0, keepdim=True)
        mean = rows.embedding.mean(0, keepdim=True)
        if self.geometric_mean:
            logarithms = rows.embedding.abs().clamp(min=_SMALLEST).log()
            mean = logarithms.mean(0, keepdim=True).exp() * mean.sign()
        return ItemIDs(mean, first_order)

    def register_item_features(self, config) -> None:
        """Keep X_v of every item, flattened, as ``item_features`` ``[n_items, n_features · k]``.

        It is fixed while the base is: computed once per item, not once per sample.

        Raises:
            UserError: if the data set has no item features.
        """
        features = self.item_embedding.item_features().flatten(1)
        if features.shape[1] == 0:
            raise UserError(
                f"dataset={config['dataset']} has no item features, but model={config['model']} "
                "reads them: load some with load_col (for MWUF, mwuf_variant=shift does without)"
            )
        self.register_buffer("item_features", features)

    def pretrain_loader(self, config, dataset: ColdStartDataset):
        """The samples of step 1: those of the old items."""
        return SetLoader.training(config, dataset, "old")

    def pretrain_loss(self, interaction: Interaction) -> Tensor:
        """The loss of step 1, for a method that trains a base of its own."""
        raise NotImplementedError

    def meta_loader(self, config, dataset: ColdStartDataset):
        """The samples of step 2: those of the old items."""
        return SetLoader.training(config, dataset, "old", config["meta_sample_order"])

    def warm_up_loader(self, config, dataset: ColdStartDataset, phase: str):
        """The samples of steps 4 to 6: those of one warm-up set."""
        return SetLoader.training(config, dataset, phase)

    def finish_meta_training(self) -> None:
        """Called once after step 2."""

    def observe(self, history: InteractionHistory, phase: str) -> None:
        """Take note of the users up to a phase: ``cold`` before steps 2 and 3, then each set's."""
        if self.reads_users:
            self.note_users(self.all_items(), self.mean_interacted_users(history, phase))

    def note_users(self, items: Tensor, mean: Tensor) -> None:
        """Take note of G(U(v)) of some items ``[B]``, shape ``[B, k]``."""

    def mean_interacted_users(self, history: InteractionHistory, phase: str) -> Tensor:
        """G(U(v)) in Eq. 4: the mean embedding of each item's users so far, ``[n_items, k]``.

        ``interacted_users`` says which samples count; an item without users gets the zero vector.
        """
        users, offsets = (
            torch.from_numpy(part).to(self.is_old.device)
            for part in history.bags(phase, self.positive_users_only)
        )
        return embedding_bag(users, self.item_embedding.users(), offsets, mode="mean")

    def warm_ids(self, items: Tensor) -> ItemIDs:
        """The ID parameters that new items are scored with, for a batch of items ``[B]``."""
        return self.new_ids(items)

    def log_loss(self, interaction: Interaction, ids: ItemIDs) -> Tensor:
        """Eq. 2 for a batch in which every item has the given ID parameters."""
        logits = self.item_embedding.logits(interaction, ids)
        return binary_cross_entropy_with_logits(logits, interaction[self.LABEL])

    def log_losses(self, interaction: Interaction, *ids: ItemIDs) -> tuple[Tensor, ...]:
        """:meth:`log_loss` for each of several ID parameters, on a base that is fixed."""
        labels = interaction[self.LABEL]
        each = self.item_embedding.logits_of_each(interaction, ids)
        return tuple(binary_cross_entropy_with_logits(logits, labels) for logits in each)

    def calculate_loss(self, interaction: Interaction) -> Tensor | tuple[Tensor, ...]:
        """The loss of steps 4 to 6: that of the cold ID embeddings."""
        return self.log_loss(interaction, self.new_ids(interaction[self.ITEM_ID]))

    def meta_loss(self, interaction: Interaction) -> Tensor | tuple[Tensor, ...]:
        """The loss of step 2."""
        return self.calculate_loss(interaction)

    def online_loss(self, interaction: Interaction) -> Tensor | tuple[Tensor, ...]:
        """The loss of steps 4 to 6 for a few samples that have just come in."""
        return self.calculate_loss(interaction)

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores of a batch that may mix old and new items, probabilities of shape ``[B]``."""
        items = interaction[self.ITEM_ID]
        own, warm = self.item_embedding.rows(items), self.warm_ids(items)
        return self.item_embedding.scores(interaction, ItemIDs.where(self.is_old[items], own, warm))


class NoWarmUp(WarmUpModel):
    """The plain base: new items start from the base's own, untrained rows."""

    def initialise_ids(self) -> None:
        self.new_ids.assign(self.all_items(), self.first_ids(self.all_items()))

    def first_ids(self, items: Tensor) -> ItemIDs:
        return self.item_embedding.rows(items)
