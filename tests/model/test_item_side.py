import pytest
import torch
from recbole.model.layers import SequenceAttLayer

from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START
from recbole_mwuf.recbole_models import get_recbole_model
from recbole_mwuf.registry import get_base


def test_history_of_none_one_and_more_than_l(make):
    config, data = make(base="DIN", MAX_ITEM_LIST_LENGTH=5)
    module = get_base("DIN")(config, data)
    item = data.token2id("item_id", "3")
    start = int(data.history.first[item])
    rows = data.batch(torch.zeros(3, dtype=torch.long))
    rows[HISTORY_START] = torch.tensor([start] * 3)
    rows[HISTORY_END] = torch.tensor([start, start + 1, start + 9])
    history, length = module.history(rows)
    users = data.history.users
    assert length.tolist() == [0, 1, 5]
    assert history.tolist() == [
        [0] * 5,
        [users[start], 0, 0, 0, 0],
        users[start + 4 : start + 9].tolist(),  # more than L: the last five, oldest first
    ]


def test_attention_by_hand(make):
    """The weighted sum of the users, the weight from RecBole's unit; zero for no history."""
    config, data = make(base="DIN")
    module = get_base("DIN")(config, data).eval()
    rows = data.batch(torch.tensor([3, 4]), "cold")
    item = data.token2id("item_id", "2")
    start = int(data.history.first[item])
    rows[HISTORY_START] = torch.tensor([start, start])
    rows[HISTORY_END] = torch.tensor([start, start + 2])
    users, length = module.history(rows)
    encoded = module.encode(users, length, rows["user_id"])
    history = module.embed_users(users)
    assert torch.equal(encoded[0], torch.zeros(16))
    query = module.embed_users(rows["user_id"])[1]
    expected = torch.zeros(16)
    for key in history[1, :2]:
        unit = torch.cat([query, key, query - key, query * key])
        expected += module.encoder.dense(module.encoder.att_mlp_layers(unit)) / 4 * key
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


@pytest.mark.parametrize("base", ["GRU4Rec", "NARM", "SASRec", "STAMP"])
def test_recbole_encoders_on_histories_of_none_one_and_more_than_l(make, base):
    """The vector is that of RecBole's own model, given the same rows as its item embeddings."""
    config, data = make(base=base, MAX_ITEM_LIST_LENGTH=5)
    module = get_base(base)(config, data).eval()
    start = int(data.history.first[data.token2id("item_id", "1")])
    rows = data.batch(torch.zeros(3, dtype=torch.long))
    rows[HISTORY_START] = torch.tensor([start] * 3)
    rows[HISTORY_END] = torch.tensor([start, start + 1, start + 9])
    vectors = module.represent(rows)
    assert torch.equal(vectors[0], torch.zeros(16))

    class Users:
        num = staticmethod(lambda field: data.user_num)

    own = get_recbole_model(base)(config, Users())
    state = {k: v for k, v in module.encoder.state_dict().items() if k != "item_embedding.weight"}
    own.load_state_dict(state, strict=False)
    with torch.no_grad():
        own.item_embedding.weight.copy_(module.embed_users(torch.arange(data.user_num)))
    users, length = module.history(rows)
    expected = own.eval()(users[1:], length[1:])
    torch.testing.assert_close(vectors[1:], expected)
    assert not torch.is_anomaly_enabled()


def test_gru_by_hand(make):
    """One step from the zero state: h = (1 - z) * n, then RecBole's dense layer."""
    config, data = make(base="GRU4Rec")
    module = get_base("GRU4Rec")(config, data).eval()
    user = torch.tensor([[7, 0, 0]])
    x = module.embed_users(user)[0, 0]
    _, z, n = (module.encoder.gru_layers.weight_ih_l0 @ x).chunk(3)
    hidden = (1 - torch.sigmoid(z)) * torch.tanh(n)
    vector = module.encode(user, torch.tensor([1]), None)[0]
    torch.testing.assert_close(vector, module.encoder.dense(hidden))


def test_encoders_share_the_user_rows(make):
    config, data = make(base="GRU4Rec")
    module = get_base("GRU4Rec")(config, data)
    names = [name for name, _ in module.named_parameters() if "embedding" in name]
    assert not any(name.startswith("encoder") for name in names)
    module(data.batch(torch.arange(100, 116))).sum().backward()
    offset = int(module.token_field_offsets[module.token_field_names.index("user_id")])
    gradient = module.token_embedding_table.embedding.weight.grad[offset : offset + data.user_num]
    assert (gradient.abs().sum(1) > 0).sum() > 16


def test_attention_is_that_of_recbole(make):
    """Values and gradients, for more histories than are attended to at once."""
    config, data = make(base="DIN")
    module = get_base("DIN")(config, data).double()  # sums of gradients round
    rows = data.batch(torch.arange(len(data.inter_feat)), "warm_c")
    assert len(rows) > 128
    users, length = module.history(rows)
    query, keys = module.embed_users(rows["user_id"]), module.embed_users(users)
    expected = SequenceAttLayer.forward(module.encoder, query, keys, length).squeeze(1)
    vectors = module.represent(rows)
    torch.testing.assert_close(vectors, expected)
    learned = [*module.encoder.parameters(), module.token_embedding_table.embedding.weight]
    for own, recboles in zip(
        torch.autograd.grad(vectors.pow(2).sum(), learned),
        torch.autograd.grad(expected.pow(2).sum(), learned),
    ):
        torch.testing.assert_close(own, recboles)
