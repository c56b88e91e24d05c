"""The examples as written, from an installed wheel, in an empty folder."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def output(installed):
    """Runs an example; returns the lines that it prints."""

    def run(name):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", EXAMPLES / f"{name}.py"],
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def values(line):
    """The metrics at the end of a line."""
    return ast.literal_eval(line[line.index("{") :])


@pytest.mark.slow
def test_registered_names(output):
    lines = output("registered_names")
    assert [line.split()[0] for line in lines] == ["cold", "warm_a", "warm_b", "warm_c"]
    assert all(0.55 < values(line)["auc"] < 0.8 for line in lines)


@pytest.mark.slow
def test_recbole_models(output):
    rows = [line.split() for line in output("recbole_models")]
    for name in ("FM", "PNN"):
        (row,) = (row for row in rows if row[:3] == ["next_phase", "auc", name])
        assert all(0.6 < float(value) < 0.8 for value in row[3:])


@pytest.mark.slow
def test_warm_up_a_recbole_base(output):
    first, *table = output("warm_up_a_recbole_base")
    assert 0.65 < values(first)["auc"] < 0.8
    rows = {tuple(line.split()[:3]): line.split()[3:] for line in table[1:]}
    base, ours = (rows["next_phase", "auc", name] for name in ("WideDeep", "MWUF(WideDeep)"))
    assert all(float(a) > float(b) for a, b in zip(ours[1:], base[1:]))


@pytest.mark.slow
def test_evaluate_with_recbole(output):
    recboles, ours = output("evaluate_with_recbole")
    assert values(recboles) == values(ours)


def test_every_example_is_run():
    tested = {name[len("test_") :] for name in globals() if name.startswith("test_")}
    assert {file.stem for file in EXAMPLES.glob("*.py")} <= tested
