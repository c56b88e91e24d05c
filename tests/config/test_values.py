"""Every setting has a type and a range: a wrong value is a UserError, never a raw exception."""

import math
from pathlib import Path

import pytest
import recbole
import yaml

from recbole_mwuf.config import DATA_FACTS, Config
from recbole_mwuf.config.checks import recbole_settings
from recbole_mwuf.errors import UserError
from recbole_mwuf.kinds import fits
from recbole_mwuf.registry import WITHOUT_ID_EMBEDDINGS, get_base, known_bases, warm_up_methods

WRONG = ["abc", "", -1, 2.5, 1e99, math.nan, None, True, [], {}, [-1], {"a": "abc"}, {"a": [1]}]
BASES = sorted(set(known_bases()).difference(WITHOUT_ID_EMBEDDINGS))
# derived, whoever gives them; told by a note (properties/ignored.yaml)
FREE = {"MODEL_TYPE", "MODEL_INPUT_TYPE", "eval_type", "single_spec", "device"} | set(DATA_FACTS)
FREE |= {"valid_metric_bigger", "ITEM_LIST_LENGTH_FIELD", "LIST_SUFFIX", "POSITION_FIELD"}
FREE |= {"HEAD_ENTITY_ID_FIELD", "TAIL_ENTITY_ID_FIELD", "RELATION_ID_FIELD", "ENTITY_ID_FIELD"}
FREE |= {"alias_of_entity_id", "alias_of_relation_id", "kg_reverse_r"}
FREE |= {"entity_kg_num_interval", "relation_kg_num_interval"}


def config(model="MWUF", base="WideDeep", **given):
    return Config(model, "ml-100k", config_dict=given, base=base)


def settings_of_a_run(model, base) -> set[str]:
    return set(config(model, base).final_config_dict)


def refused(name, model="MWUF", base="WideDeep") -> list:
    """Which of the wrong values are refused for a setting; anything but a UserError fails."""
    found = []
    for value in WRONG:
        try:
            Config(model, "ml-100k", config_dict={name: value}, base=base)
        except UserError as error:
            assert name in str(error), error
            assert "\n" not in str(error)
            found.append(value)
    return found


def test_no_wrong_value_of_any_setting_is_a_raw_exception():
    for name in sorted(settings_of_a_run("MWUF", "WideDeep") - {"base", "model", "dataset"}):
        assert len(refused(name)) >= (0 if name in FREE else 8), name


@pytest.mark.parametrize("base", BASES)
def test_the_settings_of_every_base(base):
    own = settings_of_a_run("MWUF", base) - settings_of_a_run("MWUF", "WideDeep")
    for name in own:
        assert len(refused(name, base=base)) >= 8, name


@pytest.mark.parametrize("method", warm_up_methods())
def test_the_settings_of_every_method(method):
    for name in settings_of_a_run(method, "WideDeep") - settings_of_a_run("WideDeep", "WideDeep"):
        assert len(refused(name, method)) >= 8, name


@pytest.mark.parametrize("name", ["base", "model", "dataset"])
@pytest.mark.parametrize("value", ["", -1, 2.5, math.nan, True, [], {}, "../evil", "..", "a/b"])
def test_names(name, value):
    with pytest.raises(UserError):
        Config(config_dict={name: value})


def test_a_default_is_of_the_kind_that_it_must_be():
    for base in BASES:
        for model in ("MWUF", base):
            values = config(model, base).final_config_dict
            for name, setting in recbole_settings(get_base(base)).items():
                if name in values:
                    assert not setting.refusal(values[name]), (base, name)


def test_every_setting_of_recboles_own_models_has_a_kind():
    folder = Path(recbole.__file__).parent / "properties"
    for base in BASES:
        file = folder / "model" / f"{base}.yaml"
        if file.is_file():
            missing = set(yaml.safe_load(file.read_text())) - set(recbole_settings(get_base(base)))
            assert not missing, (base, missing)


REFUSED = [
    {"epochs": -1},
    {"epochs": 0},
    {"epochs": 1.5},
    {"epochs": True},
    {"warm_up_learning_rate": -1},
    {"warm_up_learning_rate": math.nan},
    {"learning_rate": math.inf},
    {"learning_rate": "fast"},
    {"valid_metric": "abc"},
    {"metrics": []},
    {"metrics": ["AUC", 3]},
    {"metrics": {"AUC": 1}},
    {"event_window": "abc"},
    {"event_window": -1},
    {"nproc": 0},
    {"nproc": 2.0},
    {"port": 70000},
    {"seed": 2**32},
    {"seed": -1},
    {"state": "LOUD"},
    {"gpu_id": None},
    {"gpu_id": "first"},
    {"encoding": "utf-9"},
    {"torch_threads": 0},
    {"mlp_hidden_size": []},
    {"mlp_hidden_size": [64, 0]},
    {"mlp_hidden_size": 64},
    {"dropout_prob": 1},
    {"load_col": ["user_id"]},
    {"load_col": {"inter": "user_id"}},
    {"load_col": {"inter": []}},
    {"load_col": {"inter": [1, 2]}},
    {"load_col": {"inter": ["user_id"], "itm": ["item_id"]}},
    {"load_col": {"item": ["item_id"]}},
    {"load_col": {"inter": "*"}, "unload_col": {"inter": ["rating"]}},
    {"unload_col": {"inter": "rating"}},
    {"unused_col": {"intr": ["rating"]}},
    {"threshold": 4},
    {"threshold": {"rating": "4"}},
    {"threshold": {"rating": math.nan}},
    {"threshold": {"rating": 4, "label": 1}},
    {"threshold": {}},
    {"val_interval": {"rating": "1,5"}},
    {"val_interval": {"rating": "[5,1]"}},
    {"val_interval": {"rating": "[1,5"}},
    {"val_interval": {"rating": "[one,5]"}},
    {"val_interval": {"rating": 4}},
    {"val_interval": {"rating": []}},
    {"val_interval": "[1,5]"},
    {"user_inter_num_interval": "10"},
    {"user_inter_num_interval": "[10,inf]x"},
    {"item_inter_num_interval": "[inf]"},
    {"item_inter_num_interval": [1, 10]},
    {"eval_args": {"order": "TO", "splt": 1}},
    {"eval_args": {"mode": "full"}},
    {"eval_args": {"mode": {"valid": "labeled", "test": "uni100"}}},
    {"eval_args": {"mode": {}}},
    {"eval_args": []},
    {"clip_grad_norm": 5},
    {"clip_grad_norm": {}},
    {"clip_grad_norm": {"norm_type": 2}},
    {"clip_grad_norm": {"max_norm": 0}},
    {"clip_grad_norm": {"max_norm": 5, "norm": 2}},
    {"clip_grad_norm": {"max_norm": "5"}},
    {"numerical_features": "price"},
    {"numerical_features": [1]},
    {"numerical_features": None},
    {"discretization": {"price": "ED"}},
    {"discretization": {"price": {"method": "ED"}}, "numerical_features": ["price"]},
    {"discretization": {"price": {"method": "ED", "bucket": 0}}, "numerical_features": ["price"]},
    {"discretization": {"price": {"method": "XD"}}, "numerical_features": ["price"]},
    {"discretization": {"price": {"method": "LD"}}},
    {"seq_len": {"tags": 0}},
    {"seq_len": 10},
    {"normalize_field": ["price"], "normalize_all": True},
    {"benchmark_filename": ["train", "valid", "test"]},
    {"train_neg_sample_args": {"distribution": "abc"}},
    {"preload_weight": {"item_id": 3}},
    {"max_seq_length": 0},
]


@pytest.mark.parametrize("given", REFUSED, ids=str)
def test_values_that_must_be_refused(given):
    with pytest.raises(UserError) as error:
        config(**given)
    assert any(name in str(error.value) for name in given)


TAKEN = [
    {"user_inter_num_interval": "[10,inf)", "item_inter_num_interval": "(0,5];[7,9)"},
    {"val_interval": {"rating": "[1,5]", "genre": ["Drama"]}},
    {"clip_grad_norm": {"max_norm": 5, "norm_type": 2}},
    {"numerical_features": ["a", "b"], "discretization": {"a": {"method": "LD"}}},
    {"load_col": {"inter": "*"}, "unload_col": {"item": ["movie_title"]}},
    {"load_col": None, "threshold": {"rating": 4.5}},
    {"load_col": {"inter": "*", "text": ["a"]}, "additional_feat_suffix": "text"},
    {"eval_args": {"order": "TO"}},
    {"eval_args": {"mode": {"test": "labeled"}}},
    {"gpu_id": "0,1", "state": "Debug", "metrics": "AUC", "topk": 10, "encoding": "latin-1"},
    {"gpu_id": (0, 1)},
    {"gpu_id": ""},
    {"warm_up_learning_rate": None, "torch_threads": None, "sparse_embedding": None},
]


@pytest.mark.parametrize("given", TAKEN, ids=str)
def test_values_that_recbole_takes(given):
    found = config(**given)
    assert set(given) <= set(found.final_config_dict)


def test_what_the_user_gave_is_left_as_it_was():
    """RecBole fills in what a dict lacks: in a copy."""
    given = {"eval_args": {"order": "TO"}, "train_neg_sample_args": {"sample_num": 2}}
    config(**given)
    assert given == {"eval_args": {"order": "TO"}, "train_neg_sample_args": {"sample_num": 2}}


def test_a_name_that_is_no_text():
    Path("odd.yaml").write_text("1: 2\n")
    with pytest.raises(UserError, match="a setting is called 1"):
        Config("FM", "ml-100k", ["odd.yaml"])


def test_an_unknown_kind_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="no kind of setting: 'integer'"):
        fits("integer", 3)
