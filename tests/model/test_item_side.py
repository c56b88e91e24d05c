import torch

from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START
from recbole_mwuf.registry import get_base


def test_history_of_none_one_and_more_than_l(make):
    config, data = make(base="DIN", MAX_ITEM_LIST_LENGTH=5)
    module = get_base("DIN")(config, data)
    item = data.token2id("item_id", "3")
    start = int(data.history.first[item])
    rows = data.batch(torch.zeros(3, dtype=torch.long))
    rows[HISTORY_START] = torch.tensor([start] * 3)
    rows[HISTORY_END] = torch.tensor([start, start + 1, start + 9])
    embedded, length = module.history(rows)
    users = torch.from_numpy(data.history.users)
    assert length.tolist() == [0, 1, 5]
    assert embedded.shape == (3, 5, 16)
    assert torch.equal(embedded[0], torch.zeros(5, 16))
    assert torch.equal(embedded[1, 0], module.embed_users(users[start]))
    assert torch.equal(embedded[1, 1:], torch.zeros(4, 16))
    # more than L: the last five, oldest first
    assert torch.equal(embedded[2], module.embed_users(users[start + 4 : start + 9]))


def test_attention_by_hand(make):
    """The weighted sum of the users, the weight from RecBole's unit; zero for no history."""
    config, data = make(base="DIN")
    module = get_base("DIN")(config, data).eval()
    rows = data.batch(torch.tensor([3, 4]), "cold")
    item = data.token2id("item_id", "2")
    start = int(data.history.first[item])
    rows[HISTORY_START] = torch.tensor([start, start])
    rows[HISTORY_END] = torch.tensor([start, start + 2])
    history, length = module.history(rows)
    encoded = module.encode(history, length, rows)
    assert torch.equal(encoded[0], torch.zeros(16))
    query = module.embed_users(rows["user_id"])[1]
    expected = torch.zeros(16)
    for key in history[1, :2]:
        unit = torch.cat([query, key, query - key, query * key])
        expected += module.attention.dense(module.attention.att_mlp_layers(unit)) / 4 * key
    torch.testing.assert_close(encoded[1], expected)


def test_users_of_the_history_are_rows_of_the_shared_table(make):
    config, data = make(base="DIN")
    module = get_base("DIN")(config, data)
    rows = data.batch(torch.arange(100, 116))
    module(rows).sum().backward()
    offset = int(module.token_field_offsets[module.token_field_names.index("user_id")])
    gradient = module.token_embedding_table.embedding.weight.grad[offset : offset + data.user_num]
    moved = set(gradient.abs().sum(1).nonzero().flatten().tolist())
    assert moved > set(rows["user_id"].tolist())  # the samples' users and those of the histories
