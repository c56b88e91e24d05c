import pytest
import torch
from recbole.model.context_aware_recommender import LR

from recbole_mwuf.data import PHASES
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table import ItemIDs, item_table_of
from recbole_mwuf.registry import get_base

BASES = ["WideDeep", "DIN", "PNN", "DCN", "FM"]
FIRST_ORDER = {"WideDeep", "FM"}


@pytest.fixture
def seam(make):
    def build(base):
        config, data = make(base=base)
        module = get_base(base)(config, data).eval()
        return item_table_of(module, data), data, module

    return build


def batch(data, phase="warm_b"):
    return data.batch(torch.arange(0, len(data.inter_feat), 7), phase)


@pytest.mark.parametrize("base", BASES)
def test_own_rows_give_the_base_exactly(seam, base):
    item_embedding, data, module = seam(base)
    rows = batch(data)
    own = item_embedding.rows(rows["item_id"])
    assert torch.equal(item_embedding.logits(rows, own), module(rows))
    assert item_embedding.has_first_order == (base in FIRST_ORDER)


@pytest.mark.parametrize("base", BASES)
def test_substituted_vectors_are_those_of_a_changed_table(seam, base):
    item_embedding, data, module = seam(base)
    rows = batch(data)
    items = rows["item_id"]
    torch.manual_seed(0)
    table = torch.randn(data.item_num, item_embedding.size)
    weights = torch.randn(data.item_num, 1) if item_embedding.has_first_order else None
    ids = ItemIDs(table[items], None if weights is None else weights[items])
    substituted = item_embedding.logits(rows, ids)
    assert not torch.allclose(substituted, module(rows), atol=1e-3)
    everyone = torch.arange(data.item_num)
    item_embedding.assign(everyone, ItemIDs(table, weights))
    assert torch.equal(substituted, module(rows))


@pytest.mark.parametrize("base", BASES)
def test_gradient_of_repeated_items(seam, base):
    """Each occurrence has a gradient of its own; together they are the table's."""
    item_embedding, data, module = seam(base)
    rows = data.batch(torch.arange(40), "cold")
    items = rows["item_id"]
    assert len(items.unique()) < len(items)
    table = item_embedding.rows(torch.arange(data.item_num)).embedding.detach().requires_grad_()
    vectors = table[items]
    vectors.retain_grad()
    own = item_embedding.rows(items)
    item_embedding.logits(rows, own._replace(embedding=vectors)).sum().backward()
    summed = torch.zeros_like(table).index_add_(0, items, vectors.grad)
    torch.testing.assert_close(table.grad, summed)

    module.zero_grad()
    module(rows).sum().backward()
    weight = module.token_embedding_table.embedding.weight
    offset = int(module.token_field_offsets[module.token_field_names.index("item_id")])
    direct = weight.grad[offset : offset + data.item_num]
    torch.testing.assert_close(table.grad, direct)
    assert (vectors.grad.abs().sum(1) > 0).any()


def test_hooks_are_gone_afterwards(seam):
    item_embedding, data, module = seam("WideDeep")
    rows = batch(data)
    before = module(rows)
    ids = item_embedding.rows(torch.zeros_like(rows["item_id"]))
    item_embedding.logits(rows, ids)
    with pytest.raises(RuntimeError):
        item_embedding.logits(rows, ItemIDs(torch.zeros(1, 3), torch.zeros(1, 1)))
    assert torch.equal(module(rows), before)
    assert not module.token_embedding_table._forward_hooks


def test_a_base_that_bypasses_the_table_is_found_out(make):
    config, data = make()
    with pytest.raises(UserError, match="base=LR cannot be warmed up: it does not read"):
        item_table_of(LR(config, data), data)


def test_a_base_without_a_logit_is_found_out(make):
    config, data = make()
    module = get_base("WideDeep")(config, data)
    module.predict = lambda rows: module.forward(rows) + 1
    with pytest.raises(UserError, match="neither its prediction nor the logit"):
        item_table_of(module, data)


def test_item_features_by_hand(seam):
    item_embedding, data, module = seam("WideDeep")
    features = item_embedding.item_features()
    assert features.shape == (data.item_num, 2, 16)  # tags, category; no item ID, nothing of users
    item = data.token2id("item_id", "5")  # tags t0 t1 t2, category c2
    tag_rows = module.token_seq_embedding_table[0].weight[
        torch.as_tensor(data.token2id("tags", ["t0", "t1", "t2"]))
    ]
    torch.testing.assert_close(features[item, 0], tag_rows.mean(0))
    column = module.token_field_names.index("category")
    row = int(module.token_field_offsets[column]) + data.token2id("category", "c2")
    assert torch.equal(features[item, 1], module.token_embedding_table.embedding.weight[row])


def test_users_are_the_user_rows(seam):
    item_embedding, data, module = seam("WideDeep")
    rows = data.batch(torch.arange(5))
    column = module.token_field_names.index("user_id")
    embedded = module.embed_input_fields(rows)[0][:, len(module.token_seq_field_names) + column]
    assert torch.equal(item_embedding.users()[rows["user_id"]], embedded)


def test_every_phase_can_be_scored(seam):
    item_embedding, data, _ = seam("DIN")
    scores = [item_embedding.logits(batch(data, phase)) for phase in PHASES]
    assert not torch.equal(scores[0], scores[1])  # the history has grown
