"""RecBole's early stopping on the held-out new items."""

import pytest
import torch

from recbole_mwuf.config import Config
from recbole_mwuf.data import SetLoader
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.mwuf import MWUF
from recbole_mwuf.quick_start import run
from recbole_mwuf.trainer import BaseTrainer, WarmUpTrainer

STOPPING = {"eval_step": 1, "stopping_step": 1, "validation_items": 0.4}


@pytest.fixture
def stopped(make):
    """Trains a base for at most nine epochs that score as given; returns it and its states."""

    def train(scores, **settings):
        config, data = make("WideDeep", epochs=9, **{**STOPPING, **settings})
        base = create_base(config, data)
        states = []

        def validate():
            states.append({name: value.clone() for name, value in base.state_dict().items()})
            return {"auc": scores[len(states) - 1], "logloss": 1 - scores[len(states) - 1]}

        BaseTrainer(config, base).train(SetLoader.training(config, data, "old"), validate)
        return base.state_dict(), states

    return train


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("metric", ["AUC", "LogLoss"])
def test_stops_and_goes_back_to_the_best_epoch(stopped, metric):
    final, states = stopped([0.6, 0.7, 0.65, 0.66], valid_metric=metric)
    assert len(states) == 4  # the second epoch is the best; a step of patience, then the end
    assert equal(final, states[1])
    assert not equal(final, states[3])


def test_eval_step_and_patience_are_recboles(stopped):
    _, states = stopped([0.6, 0.5, 0.5, 0.5], eval_step=2)
    assert len(states) == 3  # epochs 2, 4, 6
    final, states = stopped([0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9], stopping_step=9)
    assert len(states) == 9
    assert equal(final, states[8])


def test_needs_items_to_stop_on():
    with pytest.raises(UserError, match="eval_step=1: early stopping scores held-out"):
        Config(config_dict={"eval_step": 1})


@pytest.mark.parametrize("model", ["MWUF", "MetaEmb", "DropoutNet", "MeLU"])
def test_every_method_stops_on_held_out_items(settings, model):
    few = {**settings, **STOPPING, "base_phases": False, "train_batch_size": 8, "epochs": 4}
    results = [run(model, "DIN", "tiny", config_dict=few, saved=False) for _ in range(2)]
    assert results[0].phases == results[1].phases
    assert results[0].split["new_items"] == 3  # of five


def test_held_out_items_do_not_reach_the_report(trained):
    """Flipped labels of theirs change what they are scored, and nothing else."""

    def phases(flip):
        config, data, base = trained(validation_items=0.4, meta_epochs=1)
        rows = torch.from_numpy(data.split.rows("validation"))
        if flip:
            data.inter_feat["label"][rows] = 1 - data.inter_feat["label"][rows]
        trainer = WarmUpTrainer(config, MWUF(config, data, base))
        trainer.meta_train(data)
        return trainer.validate(data), trainer.run_phases(data)

    (validation, reported), (flipped, same) = phases(False), phases(True)
    assert reported == same
    assert validation["auc"] == pytest.approx(1 - flipped["auc"])
