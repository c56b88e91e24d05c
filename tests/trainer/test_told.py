"""What pre-training tells travels with the base, so that every run that shares it knows it."""

from pathlib import Path

import pytest

from recbole_mwuf.evaluator.result import RunResult
from recbole_mwuf.quick_start import run


def told(settings, **changes) -> dict:
    result = run("MWUF", base="WideDeep", dataset="tiny", config_dict={**settings, **changes})
    assert isinstance(result, RunResult)
    return result.pretraining


@pytest.mark.slow
def test_a_base_that_is_loaded_tells_what_it_told_when_it_was_trained(settings):
    first = told(settings, result_path="a.json")
    assert len(first["loss"]) == 4 and first["rising"] is None
    assert all(0.2 < loss < 1.5 for loss in first["loss"])
    (base,) = Path("saved").glob("WideDeep-*.pth")
    assert told(settings, result_path="b.json", pretrained_base=str(base)) == first


@pytest.mark.slow
def test_the_last_epoch_may_be_the_best_on_held_out_items(settings):
    early = {"eval_step": 1, "stopping_step": 9, "validation_items": 0.4, "epochs": 3}
    assert told(settings, **early)["rising"] in (True, False)
