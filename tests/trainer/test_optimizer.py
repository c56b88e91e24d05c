import pytest
import torch
from torch import nn

from recbole_mwuf.trainer.optimizer import OptimizerGroup


def tables(sparse):
    torch.manual_seed(1)
    return nn.Embedding(6, 2, sparse=sparse, dtype=torch.float64), nn.Linear(2, 1).double()


def gradient(table, dense):
    """A gradient that names row 3 twice."""
    dense(table(torch.tensor([3, 1, 3]))).square().sum().backward()


def test_dense_steps_are_those_of_torchs_plain_adam():
    (table, dense), (other_table, other_dense) = tables(False), tables(False)
    parameters = [*table.parameters(), *dense.parameters()]
    group = OptimizerGroup(None, torch.optim.Adam(parameters, lr=0.01, weight_decay=0.1))
    others = [*other_table.parameters(), *other_dense.parameters()]
    plain = torch.optim.Adam(others, lr=0.01, weight_decay=0.1, fused=False, foreach=False)
    for _ in range(50):
        for optimizer, modules in ((group, (table, dense)), (plain, (other_table, other_dense))):
            optimizer.zero_grad()
            gradient(*modules)
            optimizer.step()
    for ours, theirs in zip(parameters, others):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.01, 1e6])
def test_clipping_takes_row_wise_gradients(max_norm, norm_type):
    """The same as torch's clipping of the same gradients, had they been dense."""
    clipped = []
    for sparse in (True, False):
        table, dense = tables(sparse)
        gradient(table, dense)
        parameters = [*table.parameters(), *dense.parameters()]
        if sparse:
            rows = torch.optim.SparseAdam(table.parameters())
            group = OptimizerGroup(rows, torch.optim.Adam(dense.parameters()))
            group.clip_grad_norm(max_norm, norm_type)
        else:
            torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
        clipped.append([p.grad.to_dense() for p in parameters])
    for ours, theirs in zip(*clipped):
        torch.testing.assert_close(ours, theirs)
