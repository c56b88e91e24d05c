"""Methods and bases with one fault each.

FAILS names the tests of the kit that find it, and a part of what they say.
"""

from __future__ import annotations

import numpy as np
import torch
from recbole.model.abstract_recommender import ContextRecommender
from torch import nn

from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.settings import Setting


def with_rows(ids: ItemIDs, embedding: torch.Tensor) -> ItemIDs:
    return ids._replace(embedding=embedding)


class MovesTheBase(WarmUpMethod):
    FAILS = {
        "test_only_what_is_declared_moves": "old rows: ['base'] moved",
        "test_batch_norm_statistics_stay": "old rows: ['base.",
    }

    def loss(self, interaction, stage):
        with torch.no_grad():
            next(self.base.parameters()).mul_(1.001)
        return super().loss(interaction, stage)


class MovesAllRows(WarmUpMethod):
    """Weight decay on the whole table, as dense Adam's moments would have it."""

    FAILS = {"test_only_rows_of_the_samples_items_move": "other items' rows in new_ids.embedding"}

    def loss(self, interaction, stage):
        with torch.no_grad():
            self.new_ids.embedding.weight.mul_(0.99)
        return super().loss(interaction, stage)


class LearnsFromOldItems(WarmUpMethod):
    """In the phases, too."""

    FAILS = {"test_only_rows_of_the_samples_items_move": "samples of items of another group"}

    def warm_up_loader(self, config, dataset, phase, shard):
        return self.objective.loader(config, dataset, "old", "shuffled", shard)


class ScoresOldItemsAsNew(WarmUpMethod):
    FAILS = {"test_old_items_keep_their_scores": "after cold old items have other scores"}

    def predict(self, interaction):
        return self.table.scores(interaction, self.warm(interaction[self.ITEM_ID]))


class PeeksAtLabels(WarmUpMethod):
    FAILS = {"test_labels_of_scored_rows_are_not_read": "scores depend on the rows' labels"}

    def predict(self, interaction):
        scores = super().predict(interaction)
        return 0.9 * scores + 0.1 * interaction[self.LABEL] if self.LABEL in interaction else scores


class PeeksAtTheFuture(WarmUpMethod):
    """G(U(v)) over all users that an item will ever have."""

    FAILS = {
        "test_the_future_changes_no_score[cold]": "depend on interactions that come after cold",
        "test_the_future_changes_no_score[warm_b]": "depend on interactions that come after warm_b",
    }
    reads_users = True
    assigns = ("new_ids",)

    def observe(self, history, phase):
        for item in (~self.is_old).nonzero().flatten().tolist():
            first, last = history.split.first[item : item + 2]
            if last > first:
                mean = self.table.users()[torch.from_numpy(history.users[first:last])].mean(0)
                self.new_ids.assign(torch.tensor([item]), ItemIDs(mean[None]))


class LooksAround(WarmUpMethod):
    """Scores relative to the batch."""

    FAILS = {"test_a_row_is_scored_by_itself": "depend on the other rows of the batch"}

    def predict(self, interaction):
        scores = super().predict(interaction)
        return torch.sigmoid(scores - scores.mean())


class DrawsWithoutSeed(WarmUpMethod):
    FAILS = {"test_the_same_seed_gives_the_same_scores": "without the run's seed"}

    def start(self, items):
        drawn = np.random.default_rng().normal(size=(len(items), self.table.size))
        return with_rows(super().start(items), torch.from_numpy(drawn.astype(np.float32)))


class ForgetsState(WarmUpMethod):
    """What it notes is no buffer."""

    FAILS = {"test_a_checkpoint_holds_all_of_it": "its state is not all in parameters and buffers"}
    reads_users = True

    def __init__(self, config, dataset, base=None):
        super().__init__(config, dataset, base)
        self.mean_users = torch.zeros(self.table.n_items, self.table.size)

    def note(self, items, mean_users):
        self.mean_users[items] = mean_users

    def warm(self, items):
        ids = super().warm(items)
        return with_rows(ids, ids.embedding + self.mean_users[items])


class LearnsOtherwiseOnline(WarmUpMethod):
    FAILS = {"test_online_equals_the_phases": "after warm_a"}

    def loss(self, interaction, stage):
        ids = self.new_ids(interaction[self.ITEM_ID])
        penalty = ids.embedding.pow(2).sum() if stage is Stage.ONLINE else 0
        return self.log_loss(interaction, ids) + penalty


class CannotGrow(WarmUpMethod):
    """A table of its own that it does not let grow."""

    FAILS = {"test_items_can_be_added": "index out of range"}
    learns = {Stage.WARM_UP: ("new_ids", "shift")}

    def __init__(self, config, dataset, base=None):
        super().__init__(config, dataset, base)
        self.shift = nn.Embedding(self.table.n_items, self.table.size, sparse=True)

    def warm(self, items):
        ids = super().warm(items)
        return with_rows(ids, ids.embedding + self.shift(items))

    def loss(self, interaction, stage):
        return self.log_loss(interaction, self.warm(interaction[self.ITEM_ID]))


class GivesNoNumber(WarmUpMethod):
    FAILS = {"test_runs_by_its_name": "'logloss', nan"}

    def predict(self, interaction):
        return super().predict(interaction) * float("nan")


class MeaninglessSetting(WarmUpMethod):
    FAILS = {"test_settings_have_defaults_and_refuse_other_values": "does not say what it means"}
    settings = {"mutant_k": Setting(1, "int >= 1")}


class ReadsAnUndeclaredSetting(WarmUpMethod):
    FAILS = {"test_all_settings_are_declared": "not declared in `settings`: ['mutant_k']"}

    def __init__(self, config, dataset, base=None):
        super().__init__(config, dataset, base)
        self.k = config["mutant_k"] or 3


class SearchesAnUnknownSetting(WarmUpMethod):
    FAILS = {"test_the_search_space_names_settings": "names no setting: mutant_k"}
    search_space = "mutant_k choice [1,2]"


class SearchesValuesOutOfRange(WarmUpMethod):
    FAILS = {"test_the_search_space_names_settings": "mutant_k is 1.5, but must be"}
    settings = {"mutant_k": Setting(0.7, "0 < float < 1", "A share.")}
    search_space = "warm_up_epochs choice [1,2]\nmutant_k uniform 0.5,1.5"


class MisspellsAModule(WarmUpMethod):
    FAILS = {"test_declares_what_it_has": "names 'generater' at WARM_UP"}
    learns = {Stage.WARM_UP: ("new_ids", "generater")}


class MisspellsABuffer(WarmUpMethod):
    FAILS = {"test_declares_what_it_has": "`assigns` names 'mean_user'"}
    assigns = ("mean_user",)


class HasAModuleThatNeverLearns(WarmUpMethod):
    FAILS = {"test_what_is_declared_learns": "['network'] did not move"}
    learns = {Stage.WARM_UP: ("new_ids", "network")}

    def __init__(self, config, dataset, base=None):
        super().__init__(config, dataset, base)
        self.network = nn.Linear(self.table.size, self.table.size)

    def loss(self, interaction, stage):
        ids = self.new_ids(interaction[self.ITEM_ID])
        change = self.network(ids.embedding).detach()
        return self.log_loss(interaction, with_rows(ids, ids.embedding + change))


class HidesItsEpochs(WarmUpMethod):
    """Its meta-training cannot be set."""

    FAILS = {"test_meta_training_has_epochs": "declares `meta_epochs`"}
    learns = dict.fromkeys((Stage.META_TRAIN, Stage.WARM_UP), ("new_ids",))


class WakesTheBatchNorms(WarmUpMethod):
    FAILS = {"test_batch_norm_statistics_stay": "running_mean"}

    def train(self, mode=True):
        super().train(mode)
        self.base.train(mode)
        return self


METHODS = [
    value
    for value in dict(globals()).values()
    if isinstance(value, type) and issubclass(value, WarmUpMethod) and "FAILS" in vars(value)
]


class Base(ContextRecommender):
    """A sound base: the sum of all fields' embeddings through one layer."""

    settings = {}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.layer = nn.Linear(self.embedding_size, 1)
        self.loss = nn.BCEWithLogitsLoss()

    def fields(self, interaction):
        return self.concat_embed_input_fields(interaction)

    def forward(self, interaction):
        return self.layer(torch.tanh(self.fields(interaction).sum(1))).squeeze(1)

    def calculate_loss(self, interaction):
        return self.loss(self.forward(interaction), interaction[self.LABEL])

    def predict(self, interaction):
        return torch.sigmoid(self.forward(interaction))


class Sound(Base):
    FAILS = {}


class ReadsPastTheSeam(Base):
    """Looks the item up a second time, in the table itself."""

    FAILS = {
        "test_own_rows_have_no_part_beside_others": "own rows past the seam",
        "test_other_rows_act_as_a_changed_table": "item IDs past the seam",
    }

    def forward(self, interaction):
        column = self.token_field_names.index("item_id")
        rows = interaction["item_id"] + int(self.token_field_offsets[column])
        own = self.token_embedding_table.embedding.weight[rows]
        return super().forward(interaction) + own.sum(1)


class CountsItsCalls(Base):
    """The same rows have other logits in the next call."""

    FAILS = {"test_own_rows_change_nothing[cold]": "own rows in place change the logits"}
    calls = 0

    def forward(self, interaction):
        self.calls += 1
        return super().forward(interaction) + 1e-6 * self.calls


class LeavesItemsOut(Base):
    FAILS = {"test_other_rows_act_as_a_changed_table": "other ID parameters change nothing"}

    def fields(self, interaction):
        fields = super().fields(interaction)
        keep = torch.ones(fields.shape[1], 1)
        keep[len(self.token_seq_field_names) + self.token_field_names.index("item_id")] = 0
        return fields * keep


class MixesRows(Base):
    FAILS = {
        "test_every_sample_has_a_row_of_its_own": "acts on other samples' logits",
        "test_several_rows_in_one_pass": "not close",
    }

    def forward(self, interaction):
        logits = super().forward(interaction)
        return logits - logits.mean()


class DetachesFields(Base):
    FAILS = {
        "test_gradients_reach_the_rows_and_nothing_else": "no gradient reaches the rows",
        "test_learns_from_labels": "of 0% of the items",
    }

    def fields(self, interaction):
        return super().fields(interaction).detach()


class LearnsAllTheTime(Base):
    """Its layer takes a gradient, fixed or not."""

    FAILS = {
        "test_gradients_reach_the_rows_and_nothing_else": "gradients also reach ['layer.weight'"
    }

    def forward(self, interaction):
        self.layer.requires_grad_(True)
        return super().forward(interaction)


class SqueezesABatchOfOne(Base):
    FAILS = {"test_predicts_probabilities_row_by_row": "of 1 rows forward returns []"}

    def forward(self, interaction):
        return self.layer(torch.tanh(self.fields(interaction).sum(1))).squeeze()


class DividesByTheUser(Base):
    """The padding user's ID is 0."""

    FAILS = {"test_padding_and_an_empty_history": "unknown users and items: ID 0"}

    def forward(self, interaction):
        return super().forward(interaction) / interaction["user_id"]


class HasALossForEverySample(Base):
    FAILS = {"test_learns_from_labels": "the loss is tensor(["}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.loss = nn.BCEWithLogitsLoss(reduction="none")


class HasABiasThatCannotGrow(Base):
    FAILS = {"test_growing_changes_no_other_row": "index out of range"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.bias = nn.Embedding(dataset.num("item_id"), 1)

    def forward(self, interaction):
        return super().forward(interaction) + self.bias(interaction["item_id"]).squeeze(1)


class ReadsANumberOfItsOwn(Base):
    """What vmap cannot follow."""

    FAILS = {"test_serves_the_method[MeLU]": "vmap"}

    def forward(self, interaction):
        logits = super().forward(interaction)
        return logits if float(logits.sum()) < 1e9 else logits * 0


class CountsAllInteractions(Base):
    """How often a user interacts, the rows of later phases included."""

    FAILS = {
        "test_the_future_changes_no_score[cold]": "depend on interactions that come after cold"
    }

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        rows = getattr(dataset, "inter_feat", None)
        counts = torch.zeros(dataset.num("user_id"))
        if rows is not None:
            counts = torch.bincount(rows["user_id"], minlength=len(counts)).float()
        self.register_buffer("counts", counts)

    def forward(self, interaction):
        return super().forward(interaction) + 0.1 * self.counts[interaction["user_id"]]


BASES = [
    value
    for value in dict(globals()).values()
    if isinstance(value, type) and issubclass(value, Base) and "FAILS" in vars(value)
]
