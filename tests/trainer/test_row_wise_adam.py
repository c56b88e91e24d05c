import pytest
import torch
from torch import nn

from recbole_mwuf.trainer.row_wise_adam import RowWiseAdam


@pytest.mark.parametrize("settings", [{}, {"lr": 0.1, "betas": (0.5, 0.7), "eps": 1e-3}])
def test_every_step_is_that_of_torchs_sparse_adam(settings):
    tables = []
    for optimizer_class in (RowWiseAdam, torch.optim.SparseAdam):
        random = torch.Generator().manual_seed(1)
        table = nn.Embedding(50, 3, sparse=True)
        table.weight.data = torch.randn(50, 3, generator=random)
        optimizer = optimizer_class(table.parameters(), **settings)
        for size in (8, 8, 0, 100, 1):  # 100 of 50 rows: some are named twice; 0: none
            rows = torch.randint(0, 50, (size,), generator=random)
            weight = torch.randn(size, 3, generator=random)
            optimizer.zero_grad()
            (table(rows) * weight).sum().backward()
            optimizer.step()
        tables.append([table.weight, *optimizer.state_dict()["state"][0].values()])
    for ours, torchs in zip(*tables):
        assert ours == torchs if isinstance(ours, int) else torch.equal(ours, torchs)
