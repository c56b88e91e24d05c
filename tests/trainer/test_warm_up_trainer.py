import pytest
import torch

from recbole_mwuf.data import PHASES, SETS, WARM_SETS, InteractionHistory, SetLoader
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.mwuf import MWUF
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.registry import get_base
from recbole_mwuf.trainer import BaseTrainer, WarmUpTrainer, seed_stage

# DCN and DIN beside WideDeep: BatchNorm statistics and histories must not move either
BASES = ["WideDeep", "DCN", "DIN"]


def snapshot(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def moved(before, model):
    """Names of what changed, bit for bit."""
    return {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}


def rows_moved(before, model, name):
    changed = model.state_dict()[name] != before[name]
    return set(changed.any(1).nonzero().flatten().tolist())


@pytest.mark.parametrize("method", [MWUF, NoWarmUp])
@pytest.mark.parametrize("base", BASES)
def test_only_what_may_move_moves(trained, base, method):
    config, data, module = trained(base=base, warm_up_optimizer="continued")
    model = method(config, data, module)
    trainer = WarmUpTrainer(config, model)
    old = set(torch.from_numpy(data.split.is_old).nonzero().flatten().tolist())
    new = set(torch.from_numpy(data.split.is_new).nonzero().flatten().tolist())
    batch = data.batch(torch.from_numpy(data.split.rows("old")), "cold")
    module.eval()
    base_scores = module.predict(batch)

    before = snapshot(model)
    trainer.meta_train(data)
    networks = {"meta_scaling", "meta_shifting", "mean_users"} if method is MWUF else set()
    may = {"new_ids", *networks}
    assert {n.split(".")[0] for n in moved(before, model)} == may
    for table in ("new_ids.embedding.weight", "new_ids.first_order.weight"):
        if table in before:
            assert rows_moved(before, model, table) == old

    for phase in WARM_SETS:
        before = snapshot(model)
        trainer.consume(data, phase)
        names = {n.split(".")[0] for n in moved(before, model)}
        assert names == may
        for table in ("new_ids.embedding.weight", "new_ids.first_order.weight"):
            if table in before:
                assert rows_moved(before, model, table) == new
        if method is MWUF:
            assert rows_moved(before, model, "mean_users") == new
    model.eval()
    assert torch.equal(model.predict(batch), base_scores)  # old items: bit for bit


def test_old_items_in_a_mixed_batch_are_the_bases(trained):
    config, data, module = trained()
    model = MWUF(config, data, module)
    trainer = WarmUpTrainer(config, model)
    trainer.meta_train(data)
    trainer.run_phases(data)
    rows = data.batch(torch.arange(len(data.inter_feat)), "warm_c")
    is_old = torch.from_numpy(data.split.is_old)[rows["item_id"]]
    model.eval()
    with torch.no_grad():
        ours, base = model.predict(rows), module.predict(rows)
    assert torch.equal(ours[is_old], base[is_old])
    assert not torch.equal(ours[~is_old], base[~is_old])


def test_a_phase_scores_before_it_learns(trained, monkeypatch):
    """What a phase scores has not been consumed, and every set is consumed once, in order."""
    config, data, module = trained()
    model = MWUF(config, data, module)
    trainer = WarmUpTrainer(config, model)
    trainer.meta_train(data)
    log = []
    consume, score = trainer.consume, trainer._score_set
    monkeypatch.setattr(trainer, "consume", lambda d, p: (log.append(("learn", p)), consume(d, p)))
    monkeypatch.setattr(
        trainer, "_score_set", lambda d, n, p: (log.append(("score", n, p)), score(d, n, p))[1]
    )
    results = trainer.run_phases(data)
    assert log == [
        *(("score", "test", "cold"), ("score", "warm_a", "cold")),
        *(("learn", "warm_a"), ("score", "test", "warm_a"), ("score", "warm_b", "warm_a")),
        *(("learn", "warm_b"), ("score", "test", "warm_b"), ("score", "warm_c", "warm_b")),
        *(("learn", "warm_c"), ("score", "test", "warm_c")),
    ]
    assert list(results) == list(PHASES)
    assert results["warm_c"]["next_phase"] == results["warm_c"]["fixed_test"]


@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
def test_the_future_does_not_change_earlier_phases(make, base):
    """Other users and flipped labels in the sets to come: earlier scores stay bit for bit."""

    def scores_of_warm_b(config, data, rows):
        seed_stage(config)
        module = get_base(base)(config, data)
        BaseTrainer(config, module).fit(SetLoader(data, "old", 16))
        trainer = WarmUpTrainer(config, MWUF(config, data, module))
        trainer.meta_train(data)
        trainer.start_new_items(data)
        trainer.consume(data, "warm_a")
        trainer.model.eval()
        return trainer.model.predict(rows)

    config, data = make(base=base)
    rows = data.batch(torch.from_numpy(data.split.rows("warm_b")), "warm_a")
    expected = scores_of_warm_b(config, data, rows)

    future = torch.from_numpy(data.split.set_of_row >= SETS.index("warm_b"))
    inter = data.inter_feat
    inter["label"][future] = 1 - inter["label"][future]
    inter["user_id"][future] = 1 + (inter["user_id"][future] % 5)
    users, labels = inter["user_id"].numpy(), inter["label"].numpy()
    data.history = InteractionHistory(data.split, users, labels)
    assert torch.equal(scores_of_warm_b(config, data, rows), expected)

    past = torch.from_numpy(data.split.set_of_row == SETS.index("warm_a"))
    inter["label"][past] = 1 - inter["label"][past]
    assert not torch.equal(scores_of_warm_b(config, data, rows), expected)  # the test can fail


def test_optimizer_goes_on_or_starts_anew(trained):
    for setting, goes_on in (("continued", True), ("fresh", False)):
        config, data, module = trained(warm_up_optimizer=setting)
        trainer = WarmUpTrainer(config, MWUF(config, data, module))
        trainer.meta_train(data)
        before = trainer.loop.optimizer
        trainer.consume(data, "warm_a")
        after = trainer.loop.optimizer
        assert (after.rows is before.rows) == goes_on
        assert (after.dense is before.dense) == goes_on


def test_warm_up_learning_rate_is_that_of_the_id_rows(trained):
    def distance(rate):
        config, data, module = trained(model="WideDeep", warm_up_learning_rate=rate)
        model = NoWarmUp(config, data, module)
        trainer = WarmUpTrainer(config, model)
        trainer.start_new_items(data)
        start = model.new_ids.embedding.weight.detach().clone()
        trainer.consume(data, "warm_a")
        return float((model.new_ids.embedding.weight.detach() - start).abs().sum())

    assert distance(0.0) == 0
    assert distance(0.001) == distance(None) < distance(0.01)


@pytest.mark.parametrize("method", [MWUF, NoWarmUp])
def test_first_order_weights_may_stay(trained, method):
    config, data, module = trained(warm_up_first_order=False)
    model = method(config, data, module)
    trainer = WarmUpTrainer(config, model)
    trainer.start_new_items(data)
    before = snapshot(model)
    trainer.meta_train(data)
    trainer.run_phases(data)
    changed = moved(before, model)
    assert "new_ids.embedding.weight" in changed
    assert "new_ids.first_order.weight" not in changed


@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
def test_sparse_embedding_moves_only_the_rows_in_a_batch(make, base):
    """Dense Adam goes on moving rows by their moments; the row-wise one does not."""

    def rows_moved_by_second_batch(sparse):
        config, data = make(base=base, sparse_embedding=sparse)
        module = create_base(config, data)
        trainer = BaseTrainer(config, module)
        old = torch.from_numpy(data.split.rows("old"))
        first, second = data.batch(old[:40], "cold"), data.batch(old[60:61], "cold")
        weight = module.token_embedding_table.embedding.weight
        for batch in (first, second):
            before = weight.detach().clone()
            trainer.optimizer.zero_grad()
            module.calculate_loss(batch).backward()
            trainer.optimizer.step()
        return int((weight.detach() != before).any(1).sum()), module

    dense, _ = rows_moved_by_second_batch(False)
    sparse, module = rows_moved_by_second_batch(True)
    in_batch = len(module.token_field_names) + getattr(module, "history_length", 0)
    assert sparse <= in_batch
    assert sparse < dense


def test_sparse_embedding_trains_as_well(make):
    def auc(sparse):
        config, data = make(sparse_embedding=sparse, train_batch_size=8, epochs=12)
        module = create_base(config, data)
        loader = SetLoader.training(config, data, "old")
        BaseTrainer(config, module).fit(loader)
        return WarmUpTrainer(config, NoWarmUp(config, data, module)).evaluate_set(
            data, "old", "cold"
        )["auc"]

    assert abs(auc(True) - auc(False)) < 0.05
