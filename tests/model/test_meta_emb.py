import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from recbole_mwuf.data import WARM_SETS, ItemTaskLoader
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.meta_emb import AuthorGenerator, MetaEmb
from recbole_mwuf.trainer import WarmUpTrainer


@pytest.fixture
def meta_emb(trained):
    def build(**changes):
        config, data, base = trained(model="MetaEmb", **changes)
        return config, data, MetaEmb(config, data, base)

    return build


def test_tasks_are_disjoint_batches_of_the_same_items(meta_emb):
    _, data, _ = meta_emb()
    loader = ItemTaskLoader(data, batch_size=9, seed=3)  # K = 3: three items in a batch
    items, users = data.inter_feat["item_id"], data.inter_feat["user_id"]
    row_of = {}
    for row, key in enumerate(zip(items.tolist(), data.inter_feat["timestamp"].tolist(), users)):
        row_of.setdefault((key[0], key[1], int(key[2])), []).append(row)
    seen, per_item = [], {}
    batches = list(loader)
    assert len(batches) == len(loader)
    for batch in batches:
        half = len(batch) // 2
        assert half <= 9
        assert torch.equal(batch["item_id"][:half], batch["item_id"][half:])
        for key in zip(batch["item_id"], batch["timestamp"], batch["user_id"]):
            seen.append(tuple(x.item() for x in key))
        for item in batch["item_id"].tolist():
            per_item[item] = per_item.get(item, 0) + 1
    assert loader.sample_size == len(seen)
    assert all(seen.count(key) <= len(row_of[key]) for key in set(seen))  # at most once each
    counts = np.diff(data.split.first)
    expected = {i: 6 * (counts[i] // 6) for i in np.flatnonzero(data.split.is_old)}
    assert per_item == expected


def test_inner_step_against_finite_differences(meta_emb):
    """e' - e is -cold_lr times the gradient of each item's own mean loss."""
    _, data, model = meta_emb(metaemb_cold_lr=0.5)
    batch = next(iter(ItemTaskLoader(data, 9, 0)))
    rows = type(batch)({k: v[: len(batch) // 2] for k, v in batch.interaction.items()})
    task, of_row = rows["item_id"].unique_consecutive(return_inverse=True)
    model.base.double()
    model.new_ids.double()
    rows["label"] = rows["label"].double()
    embedding = torch.randn(len(task), 16, dtype=torch.float64, requires_grad=True)
    adapted = model.adapt(embedding, model.losses(rows, embedding[of_row]), of_row)

    def own_mean(value):
        losses = model.losses(rows, value[of_row])
        return torch.stack([losses[of_row == t].mean() for t in range(len(task))])

    step = 1e-6
    for t, k in ((0, 0), (1, 5), (2, 15)):
        change = torch.zeros_like(embedding)
        change[t, k] = step
        slope = (own_mean(embedding + change) - own_mean(embedding - change))[t] / (2 * step)
        moved = (adapted - embedding)[t, k]
        assert moved.item() == pytest.approx(-0.5 * slope.item(), rel=1e-5, abs=1e-9)


def test_second_order_gradient_against_finite_differences(meta_emb):
    """The generator's gradient goes through the inner step; a first-order one would differ."""
    _, data, model = meta_emb(metaemb_cold_lr=2.0, metaemb_alpha=0.3)
    batch = next(iter(ItemTaskLoader(data, 9, 0)))
    for module in (model.base, model.new_ids, model.generator):
        module.double()
    model.item_features = model.item_features.double()
    batch["label"] = batch["label"].double()
    model.generator.requires_grad_(True)
    with torch.no_grad():  # away from zero, where the second order is not lost in rounding
        for parameter in model.generator.parameters():
            parameter.mul_(3)
    model.meta_loss(batch).backward()
    step = 1e-6
    for weight in model.generator.parameters():
        index = np.unravel_index(int(weight.grad.abs().argmax()), weight.shape)
        with torch.no_grad():
            weight[index] += step
        above = model.meta_loss(batch).item()
        with torch.no_grad():
            weight[index] -= 2 * step
        below = model.meta_loss(batch).item()
        with torch.no_grad():
            weight[index] += step
        assert weight.grad[index].item() == pytest.approx((above - below) / (2 * step), rel=1e-4)


def test_meta_loss_by_hand(meta_emb):
    _, data, model = meta_emb(metaemb_cold_lr=0.0, metaemb_alpha=0.25)
    batch = next(iter(ItemTaskLoader(data, 9, 0)))
    items = batch["item_id"]
    embedding = model.generator(model.item_features[items])
    ids = ItemIDs(embedding, model.mean_of_old_items().first_order.expand(len(items), 1))
    logits = model.table.logits(batch, ids)
    losses = binary_cross_entropy_with_logits(logits, batch["label"], reduction="none")
    half = len(items) // 2
    expected = 0.25 * losses[:half].mean() + 0.75 * losses[half:].mean()
    torch.testing.assert_close(model.meta_loss(batch), expected)


def test_new_items_start_generated_once(meta_emb):
    config, data, model = meta_emb()
    trainer = WarmUpTrainer(config, model)
    trainer.meta_train(data)
    trainer.start_new_items(data)
    new = torch.from_numpy(data.split.is_new).nonzero().flatten()
    generated = model.generator(model.item_features)
    assert torch.equal(model.warm(new).embedding, generated[new])
    for phase in WARM_SETS:
        trainer.consume(data, phase)
    assert not torch.equal(model.warm(new).embedding, generated[new])


def test_the_authors_generator(meta_emb):
    _, _, model = meta_emb(metaemb_generator="author")
    assert isinstance(model.generator, AuthorGenerator)
    (weight,) = model.generator.parameters()
    features = model.item_features[3]
    torch.testing.assert_close(model.generator(features), torch.tanh(weight @ features) / 5)
