"""Help and version: at once without torch, and for a model every setting of it."""

from __future__ import annotations

import re

import pytest
from recbole.utils.argument_list import training_arguments

from recbole_mwuf import __version__
from recbole_mwuf.cli import COMMANDS, main
from recbole_mwuf.registry import settings_of
from recbole_mwuf.settings import read_settings
from tests.cli.conftest import ROOT, finish, start

WITHOUT_TORCH = """
import sys
from recbole_mwuf.cli import main, run_command
for arguments in {arguments}:
    assert main(arguments) == 0, arguments
for command, script in (("tune", "run_hyper.py"), ("experiment", "run_benchmark.py")):
    assert run_command(command, ["--help"], script) == 0
loaded = {{"torch", "recbole"}} & set(sys.modules)
assert not loaded, loaded
"""
SPELLINGS = [[], ["--help"], ["-h"], ["--version"]]


def test_help_and_version_load_neither_torch_nor_recbole(tmp_path):
    arguments = [*SPELLINGS[1:], *([name, *more] for name in COMMANDS for more in SPELLINGS[1:])]
    arguments.append(["convert", "movielens", "--help"])
    process = start("-c", WITHOUT_TORCH.format(arguments=arguments), cwd=tmp_path)
    status, output, errors = finish(process)
    assert (status, errors) == (0, "")
    assert output.count(f"recbole-mwuf {__version__}\n") == 1 + len(COMMANDS)
    assert not list(tmp_path.iterdir())


def help_of(*arguments: str, capsys) -> str:
    assert main([*arguments, "--help"]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    return output


@pytest.mark.parametrize("arguments", [[], ["run"]])
def test_all_commands_are_listed(arguments, capsys):
    text = help_of(*arguments, capsys=capsys)
    assert text.startswith("usage: recbole-mwuf COMMAND ...\n")
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(command.about)}$", text, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "run"])
def test_every_command_says_its_own_name(name, capsys):
    assert help_of(name, capsys=capsys).startswith(f"usage: recbole-mwuf {name} ")


@pytest.mark.parametrize(
    ("script", "usage"),
    [
        ([ROOT / "run_recbole_mwuf.py"], "run_recbole_mwuf.py COMMAND"),
        ([ROOT / "run_recbole_mwuf.py", "warm"], "run_recbole_mwuf.py warm"),
        ([ROOT / "run_hyper.py"], "run_hyper.py"),
        ([ROOT / "run_benchmark.py"], "run_benchmark.py"),
        (["-m", "dataset_converters"], "python -m dataset_converters"),
    ],
)
def test_every_script_says_its_own_name(script, usage):
    status, output, errors = finish(start(*script, "--help"))
    assert (status, errors) == (0, "")
    assert output.startswith(f"usage: {usage} ")


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("columns", [60, 100])
@pytest.mark.parametrize(("model", "base"), [("MWUF", "DIN"), ("DropoutNet", "AFN"), ("FM", "FM")])
def test_the_settings_of_a_model(model, base, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_of(f"--model={model}", f"--base={base}", capsys=capsys)
    assert f"\n{model}: " in text
    assert f"\n{base}: " in text
    declared = {**settings_of(model), **settings_of(base), **read_settings("overall")}
    for name, setting in declared.items():
        default = "~" if setting.default is None else setting.default
        entry = f"--{name}={default} ({setting.kind}) {setting.help}"
        assert words(entry) in words(text)
    named = [f"--{name}=" for name in training_arguments]
    assert all(name in text for name in named)
    wrapped = [line for line in text.splitlines() if " " in line.strip()]
    assert max(map(len, wrapped)) <= columns


def test_a_base_of_recboles_shows_what_recbole_says_of_it(capsys):
    text = words(help_of("run", "--model=DCN", capsys=capsys))
    assert "--cross_layer_num=6 (int >= 1) RecBole's." in text
    assert "--mlp_hidden_size=[64, 64, 64] (non-empty list of int >= 1) RecBole's." in text


def test_the_search_of_the_tuner(capsys):
    text = words(help_of("tune", capsys=capsys))
    for name, setting in read_settings("tuning").items():
        assert f"--{name}=" in text
        assert words(setting.help) in text
