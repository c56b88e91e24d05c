import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.dropoutnet import DropoutNet


@pytest.fixture
def dropoutnet(make):
    def build(**changes):
        config, data = make(model="DropoutNet", **changes)
        return config, data, DropoutNet(config, data, create_base(config, data))

    return build


def replaced_share(model, data, monkeypatch):
    """The share of samples whose embedding is not the base's own in one pre-training pass."""
    shares = []
    logits = model.table.logits

    def watched(rows, ids):
        own = model.table.rows(rows["item_id"]).embedding
        mean = model.mean_users[rows["item_id"]]
        is_own = (ids.embedding == own).all(1)
        assert ((ids.embedding == mean).all(1) | is_own).all()
        shares.append((~is_own).float().mean())
        return logits(rows, ids)

    monkeypatch.setattr(model.table, "logits", watched)
    rows = data.batch(torch.from_numpy(data.split.rows("old")).repeat(20))
    loss = model.pretrain_loss(rows)
    assert torch.isfinite(loss)
    return float(shares[0]), len(rows)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_share_of_replaced_embeddings(dropoutnet, monkeypatch, p):
    _, data, model = dropoutnet(dropoutnet_p=p)
    share, n = replaced_share(model, data, monkeypatch)
    assert abs(share - p) <= 4 * (p * (1 - p) / n) ** 0.5


def test_loss_by_hand_when_all_are_replaced(dropoutnet):
    _, data, model = dropoutnet(dropoutnet_p=1.0)
    rows = data.batch(torch.from_numpy(data.split.rows("old")[:12]))
    loss = model.pretrain_loss(rows)
    items, users = data.inter_feat["item_id"], data.inter_feat["user_id"]
    table = model.table.users()
    mean = torch.stack([table[users[items == i]].mean(0) for i in rows["item_id"]])
    ids = model.table.rows(rows["item_id"])._replace(embedding=mean)
    expected = binary_cross_entropy_with_logits(model.table.logits(rows, ids), rows["label"])
    torch.testing.assert_close(loss, expected)


def test_new_items_are_the_mean_of_their_users_and_zero_without(dropoutnet):
    _, data, model = dropoutnet()
    new = torch.from_numpy(data.split.is_new).nonzero().flatten()
    model.observe(data.history, "cold")
    assert torch.equal(model.warm(new).embedding, torch.zeros(len(new), 16))
    model.observe(data.history, "warm_a")
    item = int(new[0])
    chosen = torch.from_numpy(data.split.rows("warm_a"))
    chosen = chosen[data.inter_feat["item_id"][chosen] == item]
    users = data.inter_feat["user_id"][chosen]
    assert len(users) == 3
    torch.testing.assert_close(model.warm(new[:1]).embedding[0], model.table.users()[users].mean(0))


def test_means_follow_the_users_as_they_are_learned(dropoutnet):
    _, data, model = dropoutnet(dropoutnet_refresh=2)
    rows = data.batch(torch.from_numpy(data.split.rows("old")[:8]))
    seen = []
    for _ in range(4):
        model.pretrain_loss(rows)
        seen.append(model.mean_users.clone())
        with torch.no_grad():
            model.table.users().add_(1.0)
    torch.testing.assert_close(seen[1], seen[0])
    old = torch.from_numpy(data.split.is_old)
    torch.testing.assert_close(seen[2][old], seen[0][old] + 2)


def test_what_was_learned_stays_while_the_mean_of_users_grows(dropoutnet):
    _, data, model = dropoutnet()
    item = torch.from_numpy(data.split.is_new).nonzero().flatten()[:1]
    learned = torch.arange(16.0).unsqueeze(0)
    model.start_new_items()
    model.new_ids.assign(item, ItemIDs(learned))
    for phase in ("warm_a", "warm_b"):
        model.observe(data.history, phase)
        own = model.warm(item).embedding - model.mean_users[item]
        torch.testing.assert_close(own, learned)
    assert model.mean_users[item].abs().sum() > 0
