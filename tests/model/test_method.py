"""What the contract of a method promises to a guest."""

import pandas as pd
import pytest
import torch

from recbole_mwuf import registry
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.trainer import WarmUpTrainer


@pytest.fixture
def known(monkeypatch):
    """Registers a class until the end of the test."""

    def call(method: type) -> type:
        guests = registry._guests[registry.METHODS]
        monkeypatch.setattr(guests, "registered", {**guests.registered, method.__name__: method})
        return method

    return call


def test_meta_training_takes_one_epoch_unless_it_is_declared(known, trained):
    class Guest(WarmUpMethod):
        learns = dict.fromkeys((Stage.META_TRAIN, Stage.WARM_UP), ("new_ids",))
        stages: list[Stage] = []

        def loss(self, interaction, stage):
            self.stages.append(stage)
            return super().loss(interaction, stage)

    config, data, module = trained(known(Guest).__name__)
    WarmUpTrainer(config, Guest(config, data, module)).meta_train(data)
    n_batches = -(-len(data.split.rows("old")) // config["train_batch_size"])
    assert Guest.stages == [Stage.META_TRAIN] * n_batches


def test_buffers_with_a_row_for_every_item_grow(trained):
    class Guest(WarmUpMethod):
        def __init__(self, config, dataset, base=None):
            super().__init__(config, dataset, base)
            self.register_buffer("seen", torch.ones(self.table.n_items, 3))
            self.register_buffer("scale", torch.tensor(2.0))
            self.register_buffer("mean", torch.ones(self.table.size))

    config, data, module = trained()
    model = Guest(config, data, module)
    n = data.item_num
    model.grow(n + 2)
    assert model.seen.shape == (n + 2, 3) and model.is_old.shape == (n + 2,)
    assert torch.equal(model.seen.sum(1), torch.tensor([3.0] * n + [0.0] * 2))
    assert model.scale == 2 and torch.equal(model.mean, torch.ones(model.table.size))


def test_its_own_warm_up_samples_are_also_taken_online(known, trained):
    class Guest(WarmUpMethod):
        """Reads every warm-up set in order of time, and notes what it is asked for."""

        asked: list[str] = []

        def warm_up_loader(self, config, dataset, phase, shard):
            self.asked.append(phase)
            return self.objective.loader(config, dataset, phase, "time", shard)

    config, data, module = trained(known(Guest).__name__)
    trainer = WarmUpTrainer(config, Guest(config, data, module))
    trainer.start_new_items(data)
    trainer.save_model("model.pth", data)
    trainer.consume(data, "warm_a")
    warmer = ItemWarmer.load("model.pth")
    item = warmer.new_items()[0]
    warmer.observe(pd.DataFrame([{"user_id": 3, "item_id": item, "label": 1, "timestamp": 2e9}]))
    assert Guest.asked == ["warm_a", "online"]
