"""Every method of the paper on every base of the paper, on real data."""

from functools import cache

import pytest
import torch
from recbole.utils import init_seed

from recbole_mwuf.config import Config
from recbole_mwuf.data import PHASES, WARM_SETS, ColdStartDataset
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.parallel import Shard
from recbole_mwuf.registry import get_model, warm_up_methods
from recbole_mwuf.trainer import BaseTrainer, WarmUpTrainer

BASES = ["FM", "WideDeep", "PNN", "DCN", "AFN", "GRU4Rec", "DIN"]


@cache
def pretrained(base, method):
    """(config, data, base after step 1); methods that share the ordinary base share this one."""
    settings = {"train_batch_size": 1024, "show_progress": False, "state": "ERROR"}
    config = Config(method or "MWUF", "ml-100k", config_dict=settings, base=base)
    init_seed(1, True)
    data = ColdStartDataset(config)
    module = create_base(config, data)
    model = get_model(config["model"])(config, data, module)
    module.requires_grad_(True)
    trainer = BaseTrainer(config, module, model.pretrain_loss if method else None)
    trainer.fit(model.pretrain_loader(config, data, Shard()), verbose=False)
    return config, data, {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("method", sorted(warm_up_methods()))
def test_runs_and_moves_only_what_it_declares(method, base):
    model_class = get_model(method)
    shared = model_class.shares_pretrained_base
    _, data, state = pretrained(base, None if shared else method)
    config = Config(
        method,
        "ml-100k",
        config_dict={"train_batch_size": 1024, "show_progress": False, "state": "ERROR"},
        base=base,
    )
    init_seed(1, True)
    module = create_base(config, data)
    module.load_state_dict(state)
    model = model_class(config, data, module)
    trainer = WarmUpTrainer(config, model)
    old, new = (torch.from_numpy(x) for x in (data.split.is_old, data.split.is_new))
    rows = data.batch(torch.from_numpy(data.split.rows("old")[:500]), "cold")
    model.observe(data.history, "cold")
    model.eval()
    scores = model.predict(rows)

    def changes(step, learns):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        step()
        moved = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
        assert {n.split(".")[0] for n in moved} <= {*learns, *model_class.assigns}, moved
        for name in moved & {"new_ids.embedding.weight", "new_ids.first_order.weight"}:
            yield name, (model.state_dict()[name] != before[name]).any(1)

    # rows of old items in φ_new run for every method whose rows learn in the phases
    of_rows = {"new_ids"} & set(model.learns_at(Stage.WARM_UP))
    learns = {*model.learns_at(Stage.META_TRAIN), *of_rows}
    for name, items in changes(lambda: trainer.meta_train(data), learns):
        # φ_new of old items by gradient, or that of all items when it is generated
        assert not (items & ~old).any() or method == "MetaEmb", name
    results = {"cold": trainer.evaluate_set(data, "warm_a", "cold")}
    for phase in WARM_SETS:
        step = changes(
            lambda phase=phase: trainer.consume(data, phase), model.learns_at(Stage.WARM_UP)
        )
        for name, items in step:
            assert not (items & ~new).any(), name
        results[phase] = trainer.evaluate_set(data, "test", phase)
    assert list(results) == list(PHASES)
    assert all(0.5 < r["auc"] < 0.85 and 0.4 < r["logloss"] < 1.5 for r in results.values()), (
        results
    )
    model.eval()
    if "base" not in model.learns_at(Stage.WARM_UP):
        assert torch.equal(model.predict(rows), scores)
