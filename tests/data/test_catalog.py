"""The stand-in answers a model as the data set does."""

import pytest
import torch
from recbole.utils import FeatureSource

from recbole_mwuf.data import Catalog

SOURCES = [
    *([], [FeatureSource.ITEM], [FeatureSource.USER, FeatureSource.USER_ID]),
    [FeatureSource.ITEM, FeatureSource.ITEM_ID],
]


@pytest.fixture
def both(make):
    config, data = make()
    return data, Catalog(config, Catalog.content_of(data))


@pytest.mark.parametrize("source", SOURCES)
def test_same_fields_in_the_same_order(both, source):
    data, catalog = both
    expected = [
        f for f in data.fields(source=source or None) if "token" in data.field2type[f].value
    ]
    assert catalog.fields(source=source or None) == expected
    for field in expected:
        assert catalog.num(field) == data.num(field)
        assert catalog.field2type[field] == data.field2type[field]
        assert catalog.field2id_token[field] == list(data.field2id_token[field])


def test_same_columns(both):
    data, catalog = both
    rows = data.batch(torch.arange(len(data.inter_feat)))
    columns = catalog.pairs(rows["user_id"], rows["item_id"])
    assert set(columns) == {"user_id", "item_id", "age", "category", "tags"}
    assert all(torch.equal(rows[name], column) for name, column in columns.items())


def test_tokens_there_and_back(both):
    _, catalog = both
    assert catalog.ids("item_id", ["3", 3, "none", "[PAD]"]).tolist() == [
        *[catalog.field2id_token["item_id"].index("3")] * 2,
        *(0, 0),
    ]


def test_content_there_and_back(both):
    _, catalog = both
    catalog.grow(20)
    again = Catalog(catalog.config, catalog.content())
    assert again.num("item_id") == again.item_num == 20
    assert again.n_known_items() == 12
    for name, column in catalog.item_feat.interaction.items():
        assert torch.equal(again.item_feat[name], column)
        assert len(column) == 20
        assert not column[12:].any()
