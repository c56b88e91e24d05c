import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import binary_cross_entropy_with_logits

from recbole_mwuf.data import PHASES, QUERY, SUPPORT, UserQueryLoader, UserTaskLoader
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.melu import MeLU


@pytest.fixture
def melu(make):
    def build(base="WideDeep", **changes):
        config, data = make(model="MeLU", base=base, **{"melu_task_size": 8, **changes})
        model = MeLU(config, data, create_base(config, data))
        model.base.requires_grad_(True)
        return config, data, model

    return build


def anonymous(rows):
    rows = type(rows)(dict(rows.interaction))
    rows["user_id"], rows["item_id"] = (
        torch.zeros_like(rows["user_id"]),
        torch.zeros_like(rows["item_id"]),
    )
    return rows


def adapted_by_loop(model, support):
    """One plain gradient step of the decision layers on one user's rows."""
    parameters = {n: p for n, p in model.base.named_parameters() if n in model.decision_layers}
    logits = model.base(anonymous(support))
    loss = binary_cross_entropy_with_logits(logits, support["label"])
    grads = torch.autograd.grad(
        loss, list(parameters.values()), create_graph=True, allow_unused=True
    )
    return {
        name: value - model.local_lr * (0 if g is None else g)
        for (name, value), g in zip(parameters.items(), grads)
    }


def part(batch, chosen):
    return type(batch)({k: v[chosen] for k, v in batch.interaction.items()})


@pytest.mark.parametrize("base", ["WideDeep", "FM", "DIN", "GRU4Rec"])
def test_local_step_against_a_plain_loop_over_two_users(melu, base):
    """Loss and gradient of the vectorised outer step equal those of a loop, second order too."""
    _, _, model = melu(base, melu_local_lr=0.5)
    model.base.eval()
    batch = next(iter(UserTaskLoader(*loader_args(model, batch_size=16))))
    assert len(batch) == 16  # two tasks of eight
    losses = []
    for task in range(2):
        rows = part(batch, slice(8 * task, 8 * task + 8))
        support, query = (part(rows, rows[name] > 0) for name in (SUPPORT, QUERY))
        logits = functional_call(model.base, adapted_by_loop(model, support), (anonymous(query),))
        losses.append(binary_cross_entropy_with_logits(logits, query["label"]))
    expected = torch.stack(losses).mean()
    loss = model.calculate_loss(batch)
    torch.testing.assert_close(loss, expected)
    parameters = list(model.base.parameters())
    ours = torch.autograd.grad(loss, parameters, allow_unused=True)
    loops = torch.autograd.grad(expected, parameters, allow_unused=True)
    for a, b in zip(ours, loops):
        if a is not None or b is not None:
            zero = torch.zeros(())
            torch.testing.assert_close(
                a if a is not None else zero.expand_as(b), b if b is not None else zero.expand_as(a)
            )


def loader_args(model, batch_size):
    task_size, min_samples, seed = 8, 4, 0
    return model.dataset, "old", task_size, min_samples, batch_size, seed


def test_scores_against_a_plain_loop(melu):
    _, data, model = melu(melu_local_lr=0.5)
    model.eval()
    for phase in PHASES:
        model.observe(data.history, phase)
        rows = data.batch(torch.from_numpy(data.split.rows("test")), phase)
        scores = model.predict(rows)
        known = np.isin(data.split.set_of_row, range(PHASES.index(phase) + 1))
        users, times = data.inter_feat["user_id"].numpy(), data.times
        for i in range(0, len(rows), 7):
            mine = np.flatnonzero(known & (users == int(rows["user_id"][i])))
            support = mine[np.argsort(times[mine], kind="stable")][-4:]  # the latest half task
            one = anonymous(part(rows, slice(i, i + 1)))
            if len(support):
                adapted = adapted_by_loop(model, data.batch(torch.from_numpy(support)))
                logit = functional_call(model.base, adapted, (one,))
            else:
                logit = model.base(one)
            torch.testing.assert_close(scores[i], torch.sigmoid(logit)[0])


def test_a_user_without_samples_gets_the_global_model(melu):
    _, data, model = melu()
    model.eval()
    model.observe(data.history, "cold")
    model.support_known.zero_()
    rows = data.batch(torch.arange(20), "cold")
    torch.testing.assert_close(model.predict(rows), torch.sigmoid(model.base(anonymous(rows))))


def test_tasks_hold_one_user_half_support_half_query(melu):
    _, data, model = melu()
    loader = UserTaskLoader(*loader_args(model, batch_size=32))
    support = query = 0
    for batch in loader:
        users = batch["user_id"].reshape(-1, 8)
        assert (users == users[:, :1]).all()
        s, q = batch[SUPPORT].reshape(-1, 8), batch[QUERY].reshape(-1, 8)
        assert ((s + q) <= 1).all()
        sizes = (s + q).sum(1)
        assert (sizes >= 4).all()
        assert torch.equal(s.sum(1), (sizes / 2).floor())
        support, query = support + int(s.sum()), query + int(q.sum())
    assert support + query == loader.sample_size
    counts = np.bincount(data.inter_feat["user_id"].numpy()[data.split.rows("old")])
    assert loader.sample_size == sum(c - (c % 8 if c % 8 < 4 else 0) for c in counts)


def test_ids_do_not_matter(melu):
    """Two users with the same features and nothing shown get the same score; so do two items."""
    _, data, model = melu()
    model.observe(data.history, "cold")
    model.support_known.zero_()
    rows = data.batch(torch.arange(2))
    for name in ("age", "category", "tags"):
        rows[name][1] = rows[name][0]
    assert rows["user_id"][0] != rows["user_id"][1]
    scores = model.eval().predict(rows)
    torch.testing.assert_close(scores[0], scores[1])


def test_tasks_of_a_phase(melu):
    """Every row of the phase is a query once; supports are the user's latest rows before it."""
    config, data, _ = melu(melu_task_size=4)
    loader = UserQueryLoader(data, "warm_b", "warm_a", 4, 16, config["seed"])
    seen = []
    for batch in loader:
        rows = [batch[name].view(-1, 4) for name in ("user_id", "item_id", SUPPORT, QUERY)]
        for users, items, support, query in zip(*rows):
            assert len(users.unique()) == 1
            assert not support[2:].any() and not query[:2].any()
            seen += [(int(users[0]), int(i)) for i, q in zip(items[2:], query[2:]) if q]
            user = int(users[0])
            before = np.flatnonzero(
                (data.split.set_of_row >= 0)
                & (data.split.set_of_row < 2)
                & (data.inter_feat["user_id"].numpy() == user)
            )
            latest = before[np.argsort(data.times[before], kind="stable")][::-1][:2]
            expected = data.inter_feat["item_id"].numpy()[latest]
            assert [int(i) for i, s in zip(items, support) if s] == expected.tolist()
    queries = data.split.rows("warm_b")
    users, items = (data.inter_feat[n].numpy()[queries] for n in ("user_id", "item_id"))
    assert sorted(seen) == sorted(zip(users.tolist(), items.tolist()))
    assert loader.sample_size == len(queries)
