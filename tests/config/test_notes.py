"""A setting that has no effect is told, in a line that names the way out."""

import logging

import pytest
from recbole.config import Config as RecBoleConfig

from recbole_mwuf.compat import older_libraries
from recbole_mwuf.config import Config
from recbole_mwuf.quick_start import run
from recbole_mwuf.settings import read_properties

TOLD = [
    ({"train_neg_sample_args": {"distribution": "uniform"}}, "nothing is sampled"),
    ({"eval_args": {"split": {"LS": "valid_and_test"}}}, "the cold-start split takes its place"),
    ({"eval_args": {"order": "TO"}}, "the cold-start split takes its place"),
    ({"eval_args": {"group_by": "user"}}, "the cold-start split takes its place"),
    ({"topk": [20]}, "see metrics"),
    ({"repeatable": True}, "labelled samples"),
    ({"transform": "mask_itemseq"}, "batches are not changed"),
    ({"save_dataset": True}, "nothing is saved"),
    ({"save_dataloaders": True}, "nothing is saved"),
    ({"worker": 4}, "in the process that trains"),
    ({"shuffle": False}, "meta_sample_order"),
    ({"use_gpu": False}, "gpu_id=''"),
    ({"device": "cpu"}, "gpu_id=''"),
    ({"MAX_ITEM_LIST_LENGTH": 20}, "reads no histories"),
    ({"mwuf_variant": "init"}, ""),  # of a method that this run has not
    ({"my_note": "x"}, "nothing here declares it"),
]


@pytest.mark.parametrize(("given", "reason"), TOLD, ids=str)
def test_what_has_no_effect_is_told(given, reason):
    ((name, value),) = given.items()
    (note,) = Config("MetaEmb", "ml-100k", config_dict=given, base="WideDeep").notes
    assert note.startswith(f"{name}={value!r} has no effect")
    assert reason in note


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"learning_rate": 0.01, "nproc": 1, "gpu_id": "", "encoding": "utf-8", "epochs": 2},
        {"train_neg_sample_args": None, "topk": [10], "eval_args": {"mode": "labeled"}},
        {"metaemb_alpha": 0.2, "cross_layer_num": 2, "tune_metric": "AUC"},
    ],
)
def test_nothing_is_told_of_what_is_read_or_is_the_default(given):
    assert Config("MetaEmb", "ml-100k", config_dict=given, base="DCN").notes == []


def test_a_base_that_declares_it_reads_it():
    given = {"MAX_ITEM_LIST_LENGTH": 20}
    assert Config("MWUF", "ml-100k", config_dict=given, base="DIN").notes == []


def test_it_stands_in_the_log(settings, caplog):
    with caplog.at_level(logging.WARNING):
        run("DCN", None, "tiny", config_dict={**settings, "topk": [5]}, saved=False)
    assert "topk=[5] has no effect: metrics score labelled samples; see metrics" in caplog.messages


def test_what_is_listed_is_what_recbole_has():
    """A name in ignored.yaml is one of RecBole's."""
    theirs = {"neg_sampling", "training_neg_sample_num"}  # deprecated, found in no file
    for model in ("WideDeep", "DIN", "SASRec"):
        with older_libraries():
            given = {"train_neg_sample_args": None, "repeatable": True}
            theirs |= set(RecBoleConfig(model, "ml-1m", config_dict=given).final_config_dict)
    assert set(read_properties("ignored")) - {"generated_data"} <= theirs
