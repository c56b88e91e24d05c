import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from recbole_mwuf.data import PHASES
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.mwuf import MWUF
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.model.warm_up.stage import Stage


@pytest.fixture
def mwuf(trained):
    def build(**changes):
        config, data, base = trained(**changes)
        return MWUF(config, data, base), data

    return build


def mlp(module, inputs):
    """Two dense layers with a ReLU between, in numpy."""
    first, second = (m for m in module.modules() if isinstance(m, torch.nn.Linear))
    w1, b1, w2, b2 = (p.detach().numpy() for p in (*first.parameters(), *second.parameters()))
    return np.maximum(inputs @ w1.T + b1, 0) @ w2.T + b2


def test_equations_3_to_5_by_hand(mwuf):
    model, data = mwuf()
    model.observe(data.history, "warm_b")
    item = data.token2id("item_id", "7")
    row = data.item_feat.interaction
    base = model.base
    start = int(base.token_field_offsets[base.token_field_names.index("category")])
    category = base.token_embedding_table.embedding.weight[start + row["category"][item]]
    tags = base.token_seq_embedding_table[0].weight[row["tags"][item][row["tags"][item] > 0]]
    features = torch.cat([tags.mean(0), category]).numpy()
    frame = tiny_rows(data)
    users = frame[frame.item == item].sort_values(["time", "row"], kind="stable").user.iloc[:6]
    mean_user = model.table.users()[torch.tensor(users.to_numpy())].mean(0).numpy()
    cold = np.linspace(-1, 1, 16, dtype=np.float32)
    expected = cold * mlp(model.meta_scaling, features) + mlp(model.meta_shifting, mean_user)
    ids = ItemIDs(torch.from_numpy(cold)[None], torch.zeros(1, 1))
    warm = model.warm_up(ids, torch.tensor([item])).embedding[0].detach()
    np.testing.assert_allclose(warm.numpy(), expected, atol=1e-5)


def tiny_rows(data):
    import pandas as pd

    inter = data.inter_feat
    frame = pd.DataFrame({"user": inter["user_id"].numpy(), "item": inter["item_id"].numpy()})
    # the loaded times, as the split saw them
    order = np.empty(len(frame), dtype=int)
    order[data.split.order] = np.arange(len(frame))
    return frame.assign(time=order, row=range(len(frame)))


def test_interacted_users_are_users_of_the_item(mwuf):
    """Fails if users and items are swapped, or if a sample that is still to be scored counts."""
    model, data = mwuf()
    users = data.inter_feat["user_id"].numpy()
    items = data.inter_feat["item_id"].numpy()
    table = model.table.users().numpy()
    assert table.shape[0] == data.user_num != data.item_num
    for phase in PHASES:
        model.observe(data.history, phase)
        known = np.isin(data.split.set_of_row, range(PHASES.index(phase) + 1))
        for item in range(data.item_num):
            mine = users[known & (items == item)]
            expected = table[mine].mean(0) if len(mine) else np.zeros(16)
            np.testing.assert_allclose(model.mean_users[item].numpy(), expected, atol=1e-6)


def test_positive_samples_only(mwuf):
    model, data = mwuf(interacted_users="positive")
    model.observe(data.history, "cold")
    item = data.token2id("item_id", "1")
    chosen = (data.inter_feat["item_id"] == item) & (data.inter_feat["label"] == 1)
    users = data.inter_feat["user_id"][chosen]
    torch.testing.assert_close(
        model.mean_users[item], model.table.users()[users].mean(0), atol=1e-6, rtol=1e-5
    )


def test_common_initial_embedding_is_the_mean_of_old_items(mwuf):
    """Fails if the mean also takes in untrained rows: new items, rare items or the padding."""
    model, data = mwuf()
    old = [data.token2id("item_id", str(i)) for i in (1, 2, 3, 4)]
    rows = model.table.rows(torch.arange(data.item_num))
    for own, start in zip(rows, model.new_ids(torch.arange(data.item_num))):
        torch.testing.assert_close(start, own[old].mean(0).expand_as(start))
        assert not torch.allclose(own[old].mean(0), own.mean(0), atol=1e-4)


def test_geometric_mean_keeps_the_size(mwuf):
    """exp(mean log |e|) with the signs of the mean: 2 and -8 give -4, where the mean is -3."""
    model, data = mwuf(old_item_mean="geometric")
    old = torch.from_numpy(data.split.is_old).nonzero().squeeze(1)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
    sizes = torch.tensor([2.0, 8.0, 2.0, 8.0])
    model.table.assign(old, ItemIDs((signs * sizes).view(4, 1).expand(4, 16)))
    model.start_new_items()
    start = model.new_ids(torch.from_numpy(~data.is_old).nonzero().flatten()).embedding
    torch.testing.assert_close(start, torch.full_like(start, -4.0))


def test_losses_by_hand_and_what_each_moves(mwuf):
    model, data = mwuf()
    model.new_ids.requires_grad_(True)
    model.observe(data.history, "cold")
    rows = data.batch(torch.from_numpy(data.split.rows("old")[:16]))
    cold_loss, warm_loss = model.loss(rows, Stage.WARM_UP)
    items = rows["item_id"]
    for loss, ids in (
        (cold_loss, model.new_ids(items)),
        (warm_loss, model.warm_up(model.new_ids(items), items)),
    ):
        predicted = torch.sigmoid(model.table.logits(rows, ids))
        torch.testing.assert_close(loss, binary_cross_entropy(predicted, rows["label"]))

    networks = [*model.meta_scaling.parameters(), *model.meta_shifting.parameters()]
    tables = list(model.new_ids.parameters())
    grads = torch.autograd.grad(cold_loss, networks + tables, allow_unused=True, retain_graph=True)
    assert all(g is None for g in grads[: len(networks)])
    assert all(g is not None for g in grads[len(networks) :])
    grads = torch.autograd.grad(warm_loss, networks + tables, allow_unused=True)
    assert all(g is not None for g in grads[: len(networks)])
    assert all(g is None for g in grads[len(networks) :])


@pytest.mark.parametrize(
    ("variant", "scaling", "shifting"),
    [("full", True, True), ("scale", True, False), ("shift", False, True), ("init", False, False)],
)
def test_ablations(mwuf, variant, scaling, shifting):
    model, data = mwuf(mwuf_variant=variant)
    assert (model.meta_scaling is not None, model.meta_shifting is not None) == (scaling, shifting)
    assert model.has_meta_training == (scaling or shifting)
    model.observe(data.history, "warm_a")
    items = torch.arange(data.item_num)
    cold, warm = model.new_ids(items), model.warm(items)
    assert torch.equal(cold.embedding, warm.embedding) == (variant == "init")
    if variant == "scale":
        expected = cold.embedding * model.meta_scaling(model.item_features)
        torch.testing.assert_close(warm.embedding, expected)
    if variant == "shift":
        expected = cold.embedding + model.meta_shifting(model.mean_users)
        torch.testing.assert_close(warm.embedding, expected)


def test_no_item_features(trained):
    load_col = {"inter": ["user_id", "item_id", "label", "timestamp"], "user": ["user_id", "age"]}
    config, data, base = trained(load_col=load_col)
    with pytest.raises(UserError, match="has no item features"):
        MWUF(config, data, base)
    config["mwuf_variant"] = "shift"
    assert MWUF(config, data, base).meta_scaling is None


def test_a_plain_base_scores_with_its_own_rows(trained):
    config, data, base = trained(model="WideDeep")
    model = NoWarmUp(config, data, base).eval()
    model.start_new_items()
    rows = data.batch(torch.arange(len(data.inter_feat)), "cold")
    base.eval()
    assert torch.equal(model.predict(rows), base.predict(rows))


@pytest.mark.parametrize("base", ["WideDeep", "DCN", "DIN"])
def test_meta_loss_is_the_same_loss_in_one_forward_pass(trained, base):
    config, data, module = trained(base=base)
    model = MWUF(config, data, module)
    model.observe(data.history, "cold")
    model.requires_grad_(True)
    model.base.requires_grad_(False)
    model.train()
    rows = data.batch(torch.from_numpy(data.split.rows("old")[:16]))
    learned = [p for p in model.parameters() if p.requires_grad]
    results = []
    for losses in (model.loss(rows, Stage.WARM_UP), model.loss(rows, Stage.META_TRAIN)):
        grads = torch.autograd.grad(sum(losses), learned)
        results.append([torch.stack(losses), *(g.to_dense() for g in grads)])
    torch.testing.assert_close(*results)
