"""What is random is drawn for the whole batch: the parts together are what one process gets."""

import pytest
import torch
from recbole.data.interaction import Interaction
from recbole.model.layers import TransformerEncoder
from torch import nn
from torch.nn import functional

from recbole_mwuf.data import SetLoader, UserTaskLoader
from recbole_mwuf.parallel import Shard, part_of, whole_batch_draws

N = 7
TORCH = (functional.dropout, torch.rand)


class Attention(nn.Module):
    """As RecBole's AutoInt uses torch's: the sequence comes first."""

    def __init__(self):
        super().__init__()
        self.layer = nn.MultiheadAttention(8, 2, dropout=0.5)

    def forward(self, values):
        values = values.transpose(0, 1)
        return self.layer(values, values, values)[0].transpose(0, 1)


class Transformer(nn.Module):
    """RecBole's, as in SASRec."""

    def __init__(self):
        super().__init__()
        self.layers = TransformerEncoder(2, 2, 8, 16, 0.4, 0.3)

    def forward(self, values):
        return self.layers(values, torch.zeros(1))[-1]


class Flattened(nn.Module):
    """Several rows of every sample."""

    def forward(self, values):
        return functional.dropout(values.flatten(0, 1), 0.3).unflatten(0, (-1, 5))


class Random(nn.Module):
    """As DropoutNet draws."""

    def forward(self, values):
        return torch.rand(len(values), device=values.device)


MODULES = {
    "dropout": nn.Sequential(nn.Dropout(0.3), nn.Linear(8, 8), nn.Dropout(0.6)),
    "in place": nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.3, inplace=True)),
    "attention": Attention(),
    "transformer": Transformer(),
    "flattened": Flattened(),
    "rand": Random(),
}


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("name", MODULES)
def test_parts_of_a_batch(name, size):
    module, values = MODULES[name].train(), torch.randn(N, 5, 8)
    torch.manual_seed(1)
    expected = module(values.clone())
    after = torch.rand(3)
    for rank in range(size):
        shard = Shard(rank, size)
        part = shard.of(values)
        torch.manual_seed(1)
        with whole_batch_draws(part_of(Interaction({"x": torch.arange(len(part))}), shard, N)):
            found = module(part.clone())
        assert torch.allclose(found, shard.of(expected), atol=1e-6)
        assert torch.equal(torch.rand(3), after)  # all processes go on from the same state
    assert (functional.dropout, torch.rand) == TORCH


def test_of_one_process_nothing_changes():
    batch = part_of(Interaction({"x": torch.arange(N)}), Shard(), N)
    for each in (batch, Interaction({"x": torch.arange(N)})):
        with whole_batch_draws(each):
            assert (functional.dropout, torch.rand) == TORCH


def test_torch_is_left_as_it_was_after_a_failure():
    batch = part_of(Interaction({"x": torch.arange(4)}), Shard(0, 2), N)
    with pytest.raises(KeyError), whole_batch_draws(batch):
        assert (functional.dropout, torch.rand) != TORCH
        raise KeyError
    assert (functional.dropout, torch.rand) == TORCH


def test_draws_of_other_shapes_are_left_alone():
    batch = part_of(Interaction({"x": torch.arange(4)}), Shard(0, 2), N)
    with whole_batch_draws(batch):
        torch.manual_seed(1)
        found = [torch.rand(6), torch.rand(()), torch.rand([3, 4]), torch.rand(2, 4)]
        layer = functional.dropout(torch.ones(3, 4))
        same = functional.dropout(torch.ones(4), training=False)
    torch.manual_seed(1)
    expected = [torch.rand(6), torch.rand(()), torch.rand([3, 4]), torch.rand(2, 4)]
    assert all(torch.equal(a, b) for a, b in zip(found, expected))
    assert torch.equal(layer, functional.dropout(torch.ones(3, 4)))
    assert torch.equal(same, torch.ones(4))


def test_loaders_note_the_whole_batch(make):
    config, data = make("MeLU", train_batch_size=16)
    shard = Shard(1, 2)
    loaders = (
        (SetLoader.training(config, data, "old", shard=shard), 16),
        (UserTaskLoader(data, "old", 4, 2, 16, 1, shard), None),
    )
    for loader, whole in loaders:
        *batches, _ = loader
        for batch in batches:
            noted, n_whole = vars(batch)["_part_of"]
            assert noted == shard
            assert len(batch) % len(shard.of(range(n_whole))) == 0
            assert whole in (None, n_whole)
