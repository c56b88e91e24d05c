"""Two processes that share the samples of an item compute the posterior of one."""

from pathlib import Path

import pytest
import torch
from torch import distributed

from recbole_mwuf.config import Config
from recbole_mwuf.parallel.collectives import total
from recbole_mwuf.parallel.processes import connect, launch
from recbole_mwuf.quick_start import run


def sums(config_dict):
    """In one of two processes: a sum of shards."""
    connect(Config(config_dict=config_dict))
    rank = distributed.get_rank()
    found = total([torch.full((2, 2), 1.0 + rank), torch.tensor([10.0**rank])])
    return [tensor.tolist() for tensor in found]


@pytest.mark.slow
def test_total_is_the_sum_over_processes():
    assert launch(sums, Config(config_dict={"nproc": 2})) == [[[3, 3], [3, 3]], [11]]


@pytest.mark.slow
@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
def test_same_posterior_as_one_process(settings, base):
    """On the same base: two processes differ in nothing but rounding."""
    results, states = [], []
    run(base, base, "tiny", config_dict={**settings, "checkpoint_dir": "base"})
    (file,) = Path("base").glob("*-base-*.pth")
    for n in (1, 2):
        given = {**settings, "checkpoint_dir": f"of_{n}", "nproc": n, "pretrained_base": str(file)}
        results.append(run("KalmanWarmUp", base, "tiny", config_dict=given))
        (model,) = Path(f"of_{n}").glob("KalmanWarmUp-*.pth")
        states.append(torch.load(model, weights_only=True)["state_dict"])
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, atol=1e-4, rtol=1e-3, msg=name)
    assert states[0]["information"].any(1).sum() == 5
    for phase, protocols in results[0].phases.items():
        for protocol, metrics in protocols.items():
            assert results[1].phases[phase][protocol] == pytest.approx(metrics, abs=1e-4)
