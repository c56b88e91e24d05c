"""Figures do not move unless FIGURES_VERSION does."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_mwuf.errors import UserError
from recbole_mwuf.registry import warm_up_methods
from recbole_mwuf.versions import FIGURES_VERSION
from tests.conftest import ROOT
from tests.figures.checkouts import PAIRS, SCRIPT, Pair, compare
from tests.figures.small_runs import FILE, problems, run_all, write


@pytest.fixture
def stored() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture
def moved(stored) -> dict:
    """The same after a change of the code that moves a figure in the fourth decimal."""
    now = copy.deepcopy(stored)
    now["runs"]["MeLU-PNN"]["phases"]["warm_b"]["fixed_test"]["auc"] += 1e-4
    return now


def test_the_file_is_of_this_version_and_has_every_method(stored):
    assert stored["figures_version"] == FIGURES_VERSION
    assert {name.split("-")[0] for name in stored["runs"]} == set(warm_up_methods())


@pytest.mark.slow
def test_the_figures_of_small_runs_have_not_moved(stored):
    assert problems(stored, run_all()) == []


def test_figures_that_moved(stored, moved):
    assert problems(stored, copy.deepcopy(stored)) == []
    what, how = problems(stored, moved)
    assert what.startswith("MeLU-PNN phases warm_b fixed_test auc: ")
    assert how == "figures moved: raise FIGURES_VERSION in recbole_mwuf/versions.py"
    rounded = copy.deepcopy(stored)
    rounded["runs"]["MeLU-PNN"]["phases"]["warm_b"]["fixed_test"]["auc"] += 1e-5
    assert problems(stored, rounded) == []


def test_they_are_not_written_over_unless_the_number_was_raised(stored, moved):
    file = Path("small_runs.json")
    write(stored, file)
    with pytest.raises(UserError, match="raise FIGURES_VERSION"):
        write(moved, file)
    assert json.loads(file.read_text()) == stored
    raised = {**moved, "figures_version": FIGURES_VERSION + 1}
    assert "is of version" in problems(stored, raised)[0]
    write(raised, file)
    assert problems(json.loads(file.read_text()), raised) == []


def test_a_new_method_needs_no_new_number(stored):
    more = {**stored, "runs": {**stored["runs"], "New-FM": stored["runs"]["MeLU-PNN"]}}
    assert problems(stored, more) == [
        "New-FM: in one of small_runs.json and the code only: python -m tests.figures"
    ]
    write(stored, Path("small_runs.json"))
    write(more, Path("small_runs.json"))


def checkout(name: str, auc: float) -> Path:
    """A folder whose run writes a figure."""
    folder = Path(name)
    folder.mkdir()
    (folder / SCRIPT).write_text(
        "import json, sys\n"
        "given = dict(argument[2:].split('=') for argument in sys.argv[1:])\n"
        f"phases = {{'cold': {{'fixed_test': {{'auc': {auc!r}}}}}}}\n"
        "result = {'phases': phases, 'base_phases': None, 'given': given}\n"
        "json.dump(result, open(given['result_path'], 'w'))\n"
    )
    return folder


def test_two_checkouts_are_compared_bit_for_bit(capsys):
    one, same, other = (checkout(n, v) for n, v in (("a", 0.5), ("b", 0.5), ("c", 0.5 + 2**-53)))
    pairs = [Pair("MWUF", "FM", "ml-100k")]
    assert compare(one, same, pairs, Path("kept")) == 0
    assert "MWUF-FM-ml-100k: 1 figures, bit for bit" in capsys.readouterr().out
    given = json.loads(Path("kept/first/MWUF-FM-ml-100k.json").read_text())["given"]
    assert (given["model"], given["base"], given["metric_decimal_place"]) == ("MWUF", "FM", "17")
    assert compare(Path("kept/first"), other, pairs) == 1
    assert "phases cold fixed_test auc: 0.5 0.5000000000000001" in capsys.readouterr().out


def test_every_pair_of_issue_13_is_compared():
    assert len(PAIRS) == 4 * 7 + 2
    assert {pair.dataset for pair in PAIRS[28:]} == {"ml-1m"}


@pytest.mark.slow
def test_the_command_compares_this_checkout_with_itself():
    done = subprocess.run(
        [sys.executable, "-m", "tests.figures", "--compare", ROOT, ROOT, "--only=DropoutNet-FM-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "DropoutNet-FM-ml-100k: 32 figures, bit for bit" in done.stdout
