"""A loaded model computes with as many threads as its run did, whatever program it is part of."""

import pytest
import torch

from recbole_mwuf.cli import main
from recbole_mwuf.online import ItemWarmer


@pytest.fixture
def threads():
    """Sets torch's threads; afterwards they are as before."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("configured", "expected"), [(2, 2), (1, 1), (None, 3)])
def test_loading_sets_the_threads(arrive, threads, configured, expected):
    path = arrive(torch_threads=configured).path
    threads(3)
    ItemWarmer.load(path)
    assert torch.get_num_threads() == expected


def test_the_commands_use_them(arrive, threads):
    arrive(torch_threads=2).interactions("warm_a").to_csv("pairs.csv", index=False)
    threads(3)
    assert main(["score", "--checkpoint=model.pth", "--pairs=pairs.csv", "--output=s.csv"]) == 0
    assert torch.get_num_threads() == 2
