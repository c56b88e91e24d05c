"""Two processes do what one does."""

import atexit
import os
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest
import torch
from torch import distributed, nn

from recbole_mwuf.config import Config
from recbole_mwuf.errors import UserError
from recbole_mwuf.parallel.collectives import average_gradients, gather, own_shard
from recbole_mwuf.parallel.processes import connect, end_in_order, launch
from recbole_mwuf.quick_start import run


def gradients_of_shards(config_dict):
    """In one of two processes: seven samples' gradients, dense and row-wise, and the loss."""
    connect(Config(config_dict=config_dict))
    rows = own_shard().of(torch.tensor([2, 0, 2, 1, 1, 2, 3]))
    table, layer = nn.Embedding(5, 2, sparse=True), nn.Linear(2, 1, bias=False)
    nn.init.ones_(table.weight)
    nn.init.constant_(layer.weight, 2.0)
    loss = (layer(table(rows)).squeeze(1) * (rows + 1)).mean()
    loss.backward()
    mean = average_gradients([table.weight, layer.weight], loss.detach(), len(rows))
    gathered = gather([torch.tensor([i]) for i in range(5)[distributed.get_rank() :: 2]])
    few = own_shard().of(torch.tensor([9]))
    found = (mean, table.weight.grad.to_dense(), layer.weight.grad, torch.cat(gathered), few)
    return [tensor.tolist() for tensor in found]


def fail_on_the_second(config_dict):
    """The first waits for the second, which never comes."""
    config = Config(config_dict=config_dict)
    connect(config)
    if config["local_rank"] == 1:
        raise RuntimeError("lost")
    distributed.barrier()


def work_for_ever(config_dict):
    """Each process tells that it is there, and goes on.

    SIGINT, which torch has the system send when the parent dies, is ignored where a shell script
    started the command with ``&``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path(f"rank-{config_dict['local_rank']}").write_text(str(os.getpid()))
    time.sleep(600)


@pytest.mark.slow
def test_gradients_are_those_of_the_whole_batch():
    config = Config(config_dict={"nproc": 2})
    loss, table, layer, gathered, few = launch(gradients_of_shards, config)
    # sample r adds (r + 1) · (2 + 2) to the loss, (r + 1) · 2 to its row, r + 1 to the layer
    assert loss == pytest.approx(4 * (3 + 1 + 3 + 2 + 2 + 3 + 4) / 7)
    expected = torch.tensor([1.0, 4.0, 9.0, 4.0, 0.0]) * 2 / 7
    assert torch.allclose(torch.tensor(table), expected.unsqueeze(1).expand(5, 2))
    assert torch.allclose(torch.tensor(layer), torch.full((1, 2), 18 / 7))
    assert gathered == [0, 1, 2, 3, 4]
    assert few == [9]  # too few to share: everyone computes the same


def states(folder):
    files = {"base" if "-base-" in f.name else "model": f for f in Path(folder).glob("*.pth")}
    return {n: torch.load(f, weights_only=True)["state_dict"] for n, f in files.items()}


DROPOUT = {"dropout_prob": 0.3}
RUNS = [
    ("MWUF", "WideDeep", {}),
    ("MetaEmb", "DIN", {}),
    ("DropoutNet", "WideDeep", {}),
    ("MeLU", "WideDeep", {}),
    ("WideDeep", "WideDeep", {}),
    ("MWUF", "WideDeep", DROPOUT),
    ("DropoutNet", "DIN", DROPOUT),
    ("MeLU", "DIN", DROPOUT),
    ("NARM", "NARM", {"dropout_probs": [0.2, 0.3], **DROPOUT}),
    ("SASRec", "SASRec", {"hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.3, **DROPOUT}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "base", "changes"), RUNS, ids=str)
def test_same_steps_as_one_process(settings, model, base, changes):
    """Same split, parameters and scores up to rounding, whatever is random; one set of files."""
    results = []
    for n in (1, 2):
        given = {**settings, "checkpoint_dir": f"of_{n}", "nproc": n, "sparse_embedding": n > 0}
        results.append(run(model, base, "tiny", config_dict={**given, **changes}))
    one, two = results
    assert one.split == two.split
    for name, state in states("of_1").items():
        for parameter, value in states("of_2")[name].items():
            assert torch.allclose(value, state[parameter], atol=1e-5), (name, parameter)
    assert len(list(Path("of_2").iterdir())) == len(list(Path("of_1").iterdir()))
    for phase, protocols in one.phases.items():
        for protocol, metrics in protocols.items():
            assert two.phases[phase][protocol] == pytest.approx(metrics, abs=1e-4)


@pytest.mark.slow
def test_a_mistake_of_the_users_is_told_as_ever(settings):
    with pytest.raises(UserError, match="leave no new items"):
        run("MWUF", "WideDeep", "tiny", config_dict={**settings, "nproc": 2, "phase_size": 7})


@pytest.mark.slow
def test_the_command_ends_when_a_process_fails():
    code = (
        "from recbole_mwuf.config import Config;"
        "from recbole_mwuf.parallel.processes import launch;"
        "from tests.parallel.test_processes import fail_on_the_second as fail;"
        "launch(fail, Config(config_dict={'nproc': 2}))"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,  # a guard against a hang; three processes start slowly on a busy machine
    )
    assert done.returncode != 0
    assert "RuntimeError: lost" in done.stderr


@pytest.mark.slow
def test_the_processes_end_when_their_parent_is_killed():
    code = (
        "from recbole_mwuf.config import Config;"
        "from recbole_mwuf.parallel.processes import launch;"
        "from tests.parallel.test_processes import work_for_ever;"
        "launch(work_for_ever, Config(config_dict={'nproc': 2}))"
    )
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root})
    wait_for(lambda: all(Path(f"rank-{i}").is_file() for i in range(2)))
    ranks = [int(Path(f"rank-{i}").read_text()) for i in range(2)]
    assert all(map(psutil.pid_exists, ranks))
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(map(psutil.pid_exists, ranks)), seconds=30)


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def end_in_order_and_be_told_to_end():
    """What the interpreter calls at its end, as torch has it call something, meets SIGTERM."""
    end_in_order()
    atexit.register(os.kill, os.getpid(), signal.SIGTERM)


def test_told_to_end_while_it_ends_a_process_says_nothing(capfd):
    process = get_context("spawn").Process(target=end_in_order_and_be_told_to_end)
    process.start()
    process.join()
    assert (process.exitcode, capfd.readouterr().err) == (-signal.SIGTERM, "")
