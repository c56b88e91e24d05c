"""The seam of RecBole's general and sequential models: a swapped item table."""

from __future__ import annotations

import pytest
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation

from recbole_mwuf.compat import older_libraries
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.item_table import ItemIDs, WeightTable, item_table_of
from recbole_mwuf.recbole_models import get_recbole_model

GENERAL = ["BPR", "NeuMF", "ENMF", "SimpleX", "FISM"]
SEQUENTIAL = ["SASRec", "GRU4Rec", "NARM", "STAMP", "BERT4Rec", "CORE", "LightSANs", "HGN"]
SEQUENTIAL += ["Caser", "SRGNN"]
WITHOUT_TABLE = ["DMF", "EASE", "MultiVAE"]


@pytest.fixture
def recbole_model(tiny_path):
    """Builds (model in evaluation mode, data set, a batch of ten) as RecBole's quick start does."""

    def build(name):
        settings = {
            "data_path": str(tiny_path),
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "state": "ERROR",
            "train_batch_size": 10,
            "MAX_ITEM_LIST_LENGTH": 5,
        }
        if name in SEQUENTIAL:
            settings["train_neg_sample_args"] = None
        with older_libraries():
            config = Config(name, "tiny", config_dict=settings)
            train, _, _ = data_preparation(config, create_dataset(config))
        torch.manual_seed(1)
        model = get_recbole_model(name)(config, train.dataset).to(config["device"])
        batch = train.dataset[:10] if name in GENERAL else next(iter(train))
        return model.eval(), train.dataset, batch

    return build


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*GENERAL, *SEQUENTIAL])
def test_scores_with_other_rows(recbole_model, name):
    """Own rows change nothing, other rows do what writing them into the table does."""
    base, dataset, batch = recbole_model(name)
    table = item_table_of(base, dataset)
    items = batch[dataset.iid_field]
    with torch.no_grad():
        expected = base.predict(batch)
        own = table.rows(items)
        assert own.embedding.shape == (len(items), table.size)
        assert torch.equal(table.scores(batch), expected.reshape(-1))
        assert torch.equal(table.scores(batch, own), expected.reshape(-1))
    rows = torch.randn(dataset.item_num, table.size)
    others = ItemIDs(rows[items].requires_grad_())
    substituted = table.scores(batch, others)
    assert not torch.allclose(substituted, expected.reshape(-1))
    substituted.sum().backward()
    assert others.embedding.grad.abs().sum() > 0
    before = {n: p.detach().clone() for n, p in base.named_parameters()}
    table.assign(items, others.detach())
    with torch.no_grad():
        torch.testing.assert_close(base.predict(batch).reshape(-1), substituted.detach())
    changed = {n for n, p in base.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {f"{n}.weight" for n in table.names}


@pytest.mark.filterwarnings("ignore")
def test_several_tables_stand_side_by_side(recbole_model):
    base, dataset, _ = recbole_model("NeuMF")
    table = WeightTable(base, dataset)
    assert table.names == ["item_mf_embedding", "item_mlp_embedding"]
    first, second = base.item_mf_embedding.weight, base.item_mlp_embedding.weight
    rows = table.rows(torch.tensor([3])).embedding[0]
    assert torch.equal(rows, torch.cat([first[3], second[3]]))
    users = [base.user_mf_embedding.weight, base.user_mlp_embedding.weight]
    assert torch.equal(table.users(), torch.cat(users, dim=1))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["BPR", "BERT4Rec"])
def test_growing_changes_no_other_row(recbole_model, name):
    """BERT4Rec keeps the row of its mask token behind the items."""
    base, dataset, _ = recbole_model(name)
    table = WeightTable(base, dataset)
    (old,) = (table._table(n).weight.detach().clone() for n in table.names)
    table.grow(dataset.item_num + 3)
    (new,) = (table._table(n).weight for n in table.names)
    n = dataset.item_num
    assert torch.equal(new[:n], old[:n]) and torch.equal(new[n + 3 :], old[n:])
    assert torch.equal(new[n : n + 3], old[:1].expand(3, -1))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WITHOUT_TABLE)
def test_a_model_without_item_rows_is_refused(recbole_model, name):
    base, dataset, _ = recbole_model(name)
    with pytest.raises(UserError, match=f"base={name} cannot be warmed up: it has no embedding"):
        item_table_of(base, dataset)
