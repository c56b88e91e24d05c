"""The rows of new items learn alike in every method: the protocol's treatment, not the method's."""

from __future__ import annotations

import pytest
import torch

from recbole_mwuf.data import WARM_SETS
from recbole_mwuf.registry import get_method
from recbole_mwuf.trainer import WarmUpTrainer
from recbole_mwuf.trainer.loop import TrainingLoop

METHODS = ["WideDeep", "MWUF", "MetaEmb", "DropoutNet"]
TREATMENTS = [
    {"warm_up_optimizer": "continued"},
    {"warm_up_optimizer": "fresh"},
    {"warm_up_rows": "dense"},
    {"warm_up_learning_rate": 0.004, "warm_up_epochs": 2},
]


def treatment(trained, method, monkeypatch, **settings):
    """(optimiser of the rows, its rate, its steps before, items) of every step in 4 to 6."""
    config, data, module = trained(method, "WideDeep", **settings)
    trainer = WarmUpTrainer(config, get_method(config["model"])(config, data, module))
    trainer.meta_train(data)
    trainer.start_new_items(data)
    found = []
    step = TrainingLoop._step

    def watched(self, batch, *more):
        rows = self.optimizer.rows
        table = self.model.new_ids.embedding.weight
        count = int(rows.state.get(table, {}).get("step", 0))
        rate = rows.param_groups[0]["lr"]
        found.append((type(rows).__name__, rate, count, sorted(batch["item_id"].tolist())))
        return step(self, batch, *more)

    monkeypatch.setattr(TrainingLoop, "_step", watched)
    for phase in WARM_SETS:
        trainer.consume(data, phase)
    monkeypatch.undo()
    return found, trainer.updates


@pytest.mark.parametrize("given", TREATMENTS)
def test_every_method_gets_the_plain_bases_treatment(trained, monkeypatch, given):
    found = {m: treatment(trained, m, monkeypatch, **given) for m in METHODS}
    steps, updates = found["WideDeep"]
    assert steps and all(u > 0 for u in updates.values())
    for method in METHODS:
        assert found[method] == (steps, updates), method


def test_mwuf_without_networks_too(trained, monkeypatch):
    assert treatment(trained, "MWUF", monkeypatch, mwuf_variant="init") == treatment(
        trained, "WideDeep", monkeypatch
    )


def test_the_row_pass_moves_no_row_of_a_new_item_and_no_network(trained):
    config, data, module = trained("MetaEmb", "WideDeep")
    model = get_method("MetaEmb")(config, data, module)
    trainer = WarmUpTrainer(config, model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer.loop.train_rows(trainer.rows_loader(data), show_progress=False)
    old = torch.from_numpy(data.is_old)
    for name, value in model.state_dict().items():
        changed = value != before[name]
        if name.startswith("new_ids"):
            assert torch.equal(changed.any(1), old)
        else:
            assert not changed.any(), name
