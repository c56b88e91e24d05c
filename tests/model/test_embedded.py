"""What is embedded once gives the same bits as what is embedded in every pass."""

import pytest
import torch
from recbole.data.interaction import Interaction

from recbole_mwuf.data.dataset import select
from recbole_mwuf.model.item_table import ItemIDs, item_table_of
from recbole_mwuf.model.item_table.embedded import EMBEDDED
from recbole_mwuf.registry import get_base

BASES = ["WideDeep", "FM", "DCN", "AFN", "DIN", "DeepFM", "xDeepFM", "NFM"]


@pytest.fixture
def fixed(make):
    """A fixed base, its table and a batch."""

    def build(base, **settings):
        config, data = make(base=base, **settings)
        module = get_base(base)(config, data).eval().requires_grad_(False)
        return module, item_table_of(module, data), data.batch(torch.arange(0, 60, 3), "warm_b")

    return build


def other_ids(table, n_rows):
    """Parameters that are no item's, with a gradient."""
    torch.manual_seed(0)
    first_order = torch.randn(n_rows, 1) if table.has_first_order else None
    return ItemIDs(torch.randn(n_rows, table.size).requires_grad_(), first_order)


def logits_and_gradient(table, batch, ids):
    logits = table.logits(batch, ids)
    return logits, torch.autograd.grad(logits.sum(), ids.embedding)[0]


@pytest.mark.parametrize("base", BASES)
def test_the_same_bits(fixed, base):
    module, table, batch = fixed(base)
    ids = other_ids(table, len(batch))
    shared = Interaction({**batch.interaction, **table.shared_columns(batch)})
    assert EMBEDDED in shared
    expected, gradient = logits_and_gradient(table, batch, ids)
    got, own_gradient = logits_and_gradient(table, shared, ids)
    assert torch.equal(got, expected)
    assert torch.equal(own_gradient, gradient)
    assert torch.equal(table.scores(shared, ids), table.scores(batch, ids))
    assert torch.equal(module(shared), module(batch))  # its own rows, and nothing is left behind


def test_a_part_of_a_batch_carries_its_part(fixed):
    _, table, batch = fixed("WideDeep")
    shared = Interaction({**batch.interaction, **table.shared_columns(batch)})
    rows = torch.tensor([7, 2, 7])
    ids = other_ids(table, len(rows))
    part = Interaction(select(shared, rows))
    assert torch.equal(table.logits(part, ids), table.logits(Interaction(select(batch, rows)), ids))


def test_nothing_is_embedded_twice(fixed, monkeypatch):
    module, table, batch = fixed("WideDeep")
    shared = Interaction({**batch.interaction, **table.shared_columns(batch)})

    def refuse(*args):
        raise AssertionError("embedded again")

    monkeypatch.setattr(module.token_embedding_table, "forward", refuse)
    monkeypatch.setattr(module, "embed_token_seq_fields", refuse)
    ids = other_ids(table, len(batch))
    with pytest.raises(AssertionError, match="embedded again"):
        table.logits(batch, ids)
    table.logits(shared, ids)


def test_a_base_that_learns_is_embedded_in_every_pass(fixed):
    module, table, batch = fixed("WideDeep")
    module.requires_grad_(True)
    assert EMBEDDED not in table.shared_columns(batch)


def test_a_base_that_reads_its_table_directly_is_not_shortened(fixed):
    module, table, batch = fixed("UserMean", taste_fields=["tags"])
    shared = Interaction({**batch.interaction, **table.shared_columns(batch)})
    assert EMBEDDED not in shared
    ids = other_ids(table, len(batch))
    assert not torch.equal(table.logits(shared, ids), module(batch))
