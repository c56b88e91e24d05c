"""Which settings make two runs the same, and which a pre-trained base."""

import shutil
from pathlib import Path

import pytest
from recbole.utils.argument_list import general_arguments, training_arguments

from recbole_mwuf.config import Config
from recbole_mwuf.experiment import keys
from recbole_mwuf.experiment.keys import (
    base_key,
    row_key,
    row_key_of,
    run_key,
    run_key_of,
    settings_key,
)
from recbole_mwuf.quick_start import plain_values, run
from recbole_mwuf.registry import warm_up_methods
from recbole_mwuf.settings import read_properties
from recbole_mwuf.versions import FIGURES_VERSION


@pytest.fixture
def resolve(settings):
    def resolved(model="MWUF", base="WideDeep", **changes):
        config = Config(model, "tiny", config_dict={**settings, **changes}, base=base)
        return plain_values(config.final_config_dict)

    return resolved


@pytest.mark.parametrize("model", ["DIN", "MWUF", "MeLU"])
def test_a_planned_run_and_its_result_have_the_same_key(resolve, settings, model):
    result = run(model, "DIN", "tiny", config_dict=settings, saved=False).to_dict()
    assert run_key(result["config"]) == run_key(resolve(model, "DIN"))


@pytest.mark.parametrize(
    "changes",
    [
        {"train_batch_size": 32},
        {"learning_rate": 0.01},
        {"phase_size": 2},
        {"metrics": ["AUC"]},
        {"mwuf_variant": "init"},
        {"warm_up_learning_rate": 0.01},
        {"embedding_init": 1.0},
    ],
)
def test_what_changes_the_numbers_changes_the_key(resolve, changes):
    assert row_key(resolve(**changes)) != row_key(resolve())


@pytest.mark.parametrize(
    "changes",
    [
        {"show_progress": True},
        {"state": "INFO"},
        {"torch_threads": 2},
        {"base_phases": False},
        {"checkpoint_dir": "elsewhere"},
        {"result_path": "r.json"},
    ],
)
def test_what_does_not_change_them_does_not(resolve, changes):
    assert run_key(resolve(**changes)) == run_key(resolve())


def test_the_folder_of_the_data_is_no_part_of_a_key_but_their_content_is(
    resolve, tiny_path, tmp_path
):
    copy = shutil.copytree(tiny_path / "tiny", tmp_path / "tiny")
    kinds = (run_key, base_key, row_key)
    here = [key(resolve()) for key in kinds]
    assert [key(resolve(data_path=str(tmp_path))) for key in kinds] == here
    (copy / "tiny.generated").touch()
    made_up = [key(resolve(data_path=str(tmp_path))) for key in kinds]
    assert not set(made_up) & set(here)
    (copy / "tiny.generated").unlink()
    items = (copy / "tiny.item").read_text()
    (copy / "tiny.item").write_text(items.replace("c1", "c7"))
    converted_again = [key(resolve(data_path=str(tmp_path))) for key in kinds]
    assert not set(converted_again) & set(here)


def test_figures_of_other_code_have_other_keys(resolve, settings, monkeypatch):
    result = run("FM", None, "tiny", config_dict=settings, saved=False).to_dict()
    planned = resolve("FM", None)
    assert run_key_of(result) == run_key(planned)
    assert row_key_of(result) == row_key(planned)
    for figures in (FIGURES_VERSION + 1, 0):
        later = {**result, "versions": {**result["versions"], "figures": figures}}
        assert run_key_of(later) != run_key(planned)
        assert row_key_of(later) != row_key(planned)
        assert settings_key(later["config"]) == settings_key(planned)
    del result["versions"]["figures"]  # of a version that had no number
    assert run_key_of(result) == run_key(planned, 0)
    shared = base_key(planned)
    monkeypatch.setattr(keys, "FIGURES_VERSION", FIGURES_VERSION + 1)
    assert base_key(planned) != shared


def test_seeds_share_a_row(resolve):
    assert row_key(resolve(seed=1)) == row_key(resolve(seed=2))
    assert run_key(resolve(seed=1)) != run_key(resolve(seed=2))


def test_a_methods_settings_concern_only_that_method(resolve):
    more = {"metaemb_alpha": 0.5, "melu_local_lr": 0.5}
    assert row_key(resolve("MWUF", **more)) == row_key(resolve("MWUF"))
    assert row_key(resolve("WideDeep", **more)) == row_key(resolve("WideDeep"))
    assert row_key(resolve("MetaEmb", **more)) != row_key(resolve("MetaEmb"))


def test_a_setting_that_an_earlier_version_did_not_know_has_its_default(resolve):
    now = resolve()
    earlier = dict(now)
    for name in ("sparse_embedding", "sparse_embedding_rows", "meta_sample_order"):
        del earlier[name]
    assert run_key(earlier) == run_key(now)
    assert base_key(earlier) == base_key(now)
    assert run_key(earlier) != run_key(resolve(sparse_embedding_rows=7))
    assert run_key(earlier) != run_key(resolve(meta_sample_order="time"))


def test_off_is_not_undecided(resolve):
    assert resolve()["sparse_embedding"] is None  # decided by the size of the table
    assert row_key(resolve(sparse_embedding=False)) != row_key(resolve())


def test_one_base_for_all_who_may_share_it(resolve):
    shared = base_key(resolve("WideDeep"))
    for model in ("MWUF", "MetaEmb"):
        assert base_key(resolve(model)) == shared
    later = {"mwuf_variant": "init", "warm_up_optimizer": "fresh", "metrics": ["AUC"]}
    assert base_key(resolve(**later)) == shared
    later = {"warm_up_first_order": False, "old_item_mean": "geometric"}
    assert base_key(resolve(**later)) == shared
    changes = ({"seed": 1}, {"base": "DCN"}, {"learning_rate": 0.01}, {"embedding_init": 1.0})
    for change in (*changes, {"valid_metric": "LogLoss"}):
        assert base_key(resolve(**change)) != shared, change


def test_no_shared_base(resolve):
    Path("base.pth").touch()
    assert base_key(resolve("MeLU")) is None
    assert base_key(resolve("DropoutNet")) is None
    assert base_key(resolve(pretrained_base="base.pth")) is None


def test_methods_do_not_set_what_a_base_reads():
    """Else leaving a method's settings out of a base's key would mix up bases."""
    of_bases = {*general_arguments, *training_arguments, *read_properties("overall")}
    for base in ("WideDeep", "DIN", "GRU4Rec", "AFN"):
        of_bases |= set(Config(base, "ml-100k").internal_config_dict)
    for method in warm_up_methods():
        assert not of_bases & set(read_properties(f"model/{method}")), method
