"""No setting runs code: not from the command line, not from a file, not from a checkpoint."""

import ast
from pathlib import Path

import pytest
import recbole.model
import yaml

from recbole_mwuf.cli import main
from recbole_mwuf.config import Config, SavedConfig
from recbole_mwuf.config.checks import _TURNED_INTO_CODE, check_harmless
from recbole_mwuf.errors import UserError
from recbole_mwuf.recbole_models import get_recbole_model

ATTACK = "__import__('os').mkdir('attacked') or CrossNet"
RUNS_CODE = {"eval", "exec", "compile", "__import__", "import_module", "load"}


def arguments(settings, **changes) -> list[str]:
    given = {**settings, "dataset": "tiny", "base": "KD_DAGFM", **changes}
    return [f"--{name}={value}" for name, value in given.items()]


def test_kd_dagfm_itself_can_be_warmed_up(settings):
    assert main(arguments(settings, teacher="CIN")) == 0


@pytest.mark.parametrize("changes", [{"teacher": ATTACK}, {"phase": "finetuning", "warm_up": "x"}])
def test_a_setting_that_recbole_evaluates(settings, capsys, changes):
    assert main(arguments(settings, **changes)) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    (name, value), *_ = changes.items()
    assert error.startswith(f"error: {name} is {value!r}, but with base=KD_DAGFM it must be ")
    assert not Path("attacked").exists()


def test_the_same_in_a_file_of_settings(settings, capsys):
    Path("evil.yaml").write_text(f'teacher: "{ATTACK}"\n')
    assert main([*arguments(settings), "--config_files=evil.yaml"]) == 2
    assert "teacher is" in capsys.readouterr().err
    assert not Path("attacked").exists()


def test_a_stored_setting_that_is_missing_is_no_way_around():
    settings = dict(Config("KD_DAGFM", "ml-100k").final_config_dict)
    SavedConfig(settings)
    del settings["phase"]  # then RecBole would unpickle the file `warm_up`
    with pytest.raises(UserError, match="phase is None"):
        SavedConfig(settings)


def test_a_subclass_reads_the_same_settings():
    class Better(get_recbole_model("KD_DAGFM")):
        pass

    with pytest.raises(UserError, match="with base=Better it must be CrossNet or CIN"):
        check_harmless({"teacher": "print", "phase": "teacher_training"}, Better)


@pytest.mark.parametrize("name", sorted(_TURNED_INTO_CODE))
def test_the_default_of_every_setting_is_harmless(name):
    """RecBole's own default, so that what is refused is what someone has asked for."""
    model = get_recbole_model(name)
    file = Path(recbole.model.__file__).parents[1] / "properties" / "model" / f"{name}.yaml"
    check_harmless(yaml.safe_load(file.read_text()), model)
    with pytest.raises(UserError):
        check_harmless(dict.fromkeys(_TURNED_INTO_CODE[name], "something else"), model)


def test_no_other_model_of_recbole_runs_code():
    """Every call in RecBole's models that can run code is one that the list closes."""
    found = set()
    for file in Path(recbole.model.__file__).parent.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            calls = {n.func for n in ast.walk(node) if isinstance(n, ast.Call)}
            names = {c.id if isinstance(c, ast.Name) else getattr(c, "attr", "") for c in calls}
            if names & RUNS_CODE:
                found.add(getattr(node, "name", file.name))
    assert found == set(_TURNED_INTO_CODE)


@pytest.mark.parametrize("dataset", ["../evil", "/tmp/evil", "a/b"])
def test_a_data_set_names_no_file_of_settings_elsewhere(dataset):
    with pytest.raises(UserError, match="must be a name"):
        Config("FM", dataset)
