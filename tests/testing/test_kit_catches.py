"""Each test of the kit fails where there is the fault that it looks for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_mwuf.testing import BaseConformance, MethodConformance
from tests.testing import mutants

ROOT = Path(__file__).parents[2]
MUTANTS = [*mutants.METHODS, *mutants.BASES]
# a guest's test module, outside this repository
MODULE = """
from recbole_mwuf import register_base, register_method
from recbole_mwuf.testing import BaseConformance, MethodConformance
from tests.testing import mutants

for mutant in mutants.METHODS:
    name = f"Test{mutant.__name__}"
    globals()[name] = type(name, (MethodConformance,), {"method": register_method(mutant)})
for mutant in mutants.BASES:
    name = f"Test{mutant.__name__}"
    globals()[name] = type(name, (BaseConformance,), {"base": register_base(mutant)})
"""


def run_kit(module: str, *tests: str) -> tuple[dict[str, str], str]:
    """Run tests of a module in a process of its own.

    Returns:
        tuple: test -> message of each that failed, and everything that was printed.
    """
    Path("test_guest.py").write_text(module)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-rfE", "--tb=short"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *(f"test_guest.py::{test}" for test in tests)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "1000", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(r"^FAILED test_guest.py::(\S+) - (.*)$", done.stdout, re.MULTILINE)
    return dict(found), done.stdout


def names(mutant: type) -> dict[str, str]:
    return {f"Test{mutant.__name__}::{test}": text for test, text in mutant.FAILS.items()}


def test_every_fault_is_found():
    """By the test that looks for it, which says so; a sound base passes all tests."""
    expected = {test: text for mutant in MUTANTS for test, text in names(mutant).items()}
    found, output = run_kit(MODULE, *expected, "TestSound")
    assert set(found) == set(expected) and " passed" in output, output
    for test, text in expected.items():
        assert text in found[test], test


@pytest.mark.parametrize("kit", [MethodConformance, BaseConformance])
def test_every_test_of_the_kit_has_a_mutant(kit):
    caught = {test.split("[")[0] for mutant in MUTANTS for test in mutant.FAILS}
    elsewhere = {"test_is_known_by_its_name", "test_two_processes_give_the_same_figures"}
    assert {name for name in dir(kit) if name.startswith("test_")} - caught <= elsewhere


OTHERS = """
from recbole.model.context_aware_recommender import FM
from recbole_mwuf import WarmUpMethod
from recbole_mwuf.testing import BaseConformance, MethodConformance

class DropoutNet(WarmUpMethod): pass
class Unregistered(WarmUpMethod): pass
class WideDeep(FM): pass

class TestTaken(MethodConformance):
    method = DropoutNet

class TestUnregistered(MethodConformance):
    method = Unregistered

class TestTakenBase(BaseConformance):
    base = WideDeep
"""


def test_what_runs_by_the_name_must_be_what_is_proved():
    classes = ("TestTaken", "TestUnregistered", "TestTakenBase")
    expected = [f"{name}::test_is_known_by_its_name" for name in classes]
    found, output = run_kit(OTHERS, *expected)
    assert list(found) == expected, output
    taken, unregistered, base = found.values()
    assert "--model=DropoutNet is another class" in taken
    assert "there is no model 'Unregistered'" in unregistered
    assert "--base=WideDeep is another class" in base


SHARED = """
from recbole_mwuf import WarmUpMethod, register_method
from recbole_mwuf.parallel.collectives import rank
from recbole_mwuf.testing import MethodConformance

@register_method
class DependsOnTheProcess(WarmUpMethod):
    def loss(self, interaction, stage):
        return super().loss(interaction, stage) * (1 - 3 * rank())

class TestIt(MethodConformance):
    method = DependsOnTheProcess
"""


@pytest.mark.slow
def test_processes_that_differ_are_found():
    """The method of a guest's test module is known in the other processes as well."""
    test = "TestIt::test_two_processes_give_the_same_figures"
    found, output = run_kit(SHARED, test)
    assert set(found) == {test} and "AssertionError: ('warm_" in found[test], output
