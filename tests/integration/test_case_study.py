"""RecBole's case study and full-sort evaluation of warmed-up models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recbole.data import create_dataset
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.data.interaction import Interaction
from recbole.sampler import Sampler
from recbole.utils import get_model, get_trainer
from recbole.utils.case_study import full_sort_scores, full_sort_topk

from recbole_mwuf.data.dataset import HISTORY_END, HISTORY_START
from recbole_mwuf.integration.checkpoints import read_for_recbole
from recbole_mwuf.model.warm_up import full_sort
from recbole_mwuf.quick_start import run

pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def loaded(settings):
    """A warmed-up model, its whole data set and the loader that RecBole's case study reads."""

    def load(model, base):
        result = run(model, base, "tiny", config_dict={**settings, "base_phases": False})
        content = read_for_recbole(result.checkpoint)
        config = content["config"]
        dataset = create_dataset(config)
        sets = dataset.build()
        module = get_model(config["model"])(config, sets[0])
        module.load_state_dict(content["state_dict"])
        sampler = Sampler(["train", "valid", "test"], sets, "uniform").set_phase("test")
        return config, module, dataset, FullSortEvalDataLoader(config, sets[2], sampler)

    return load


def pair_by_pair(model, data, users):
    """The model's scores of all pairs, each item with what it has shown in all phases."""
    items = torch.arange(data.item_num)
    scores = []
    for user in users:
        columns = {"user_id": torch.full_like(items, int(user)), "item_id": items}
        batch = data.join(Interaction(columns))
        batch[HISTORY_START] = torch.from_numpy(data.history.first)
        batch[HISTORY_END] = torch.from_numpy(data.history.seen("warm_c"))
        scores.append(model.predict(batch))
    return torch.stack(scores)


@pytest.mark.parametrize(
    ("model", "base"),
    [
        *(("MWUF", "WideDeep"), ("MWUF", "DIN"), ("MetaEmb", "FM"), ("DropoutNet", "AFN")),
        *(("MeLU", "WideDeep"), ("WideDeep", None)),
    ],
)
def test_full_sort(loaded, model, base):
    config, module, data, loader = loaded(model, base)
    users = loader.uid_list[:3].numpy()
    scores = full_sort_scores(users, module, loader, config["device"])
    assert scores.shape == (3, data.item_num)
    expected = pair_by_pair(module.eval(), data, users)
    for row, user in enumerate(users):
        history = set(loader.uid2history_item[user].tolist())
        shown = [i for i in range(1, data.item_num) if i not in history]
        assert torch.allclose(scores[row, shown], expected[row, shown], atol=1e-6)
        assert torch.isinf(scores[row, [0, *history]]).all()
    best, items = full_sort_topk(users, module, loader, 2, config["device"])
    assert torch.equal(best, scores.topk(2).values)
    assert torch.equal(items, scores.topk(2).indices)
    tokens = data.id2token("item_id", items.cpu())
    assert np.isin(tokens, [str(i) for i in range(1, 12)]).all()


def test_what_an_item_has_shown_is_no_history_of_the_user(loaded):
    """Histories of items come with the data set's item features where the model lacks them."""
    _, module, data, _ = loaded("MWUF", "DIN")
    with pytest.raises(NotImplementedError):
        module.full_sort_predict(Interaction({"user_id": torch.ones(1, dtype=torch.long)}))
    features = data.build()[2].get_item_feature()
    assert torch.equal(features["item_id"], torch.arange(data.item_num))
    shown = features[HISTORY_END] - features[HISTORY_START]
    old, new = data.is_old, data.split.is_new
    counts = np.bincount(data.inter_feat["item_id"], minlength=data.item_num)
    assert shown[old].tolist() == counts[old].tolist()
    assert set(shown[new].tolist()) == {9}


def test_pairs_are_scored_in_parts(loaded, monkeypatch):
    _, module, data, loader = loaded("MWUF", "WideDeep")
    users = loader.user_df
    whole = module.full_sort_predict(users)
    assert whole.shape == (len(users) * data.item_num,)
    sizes = []
    predict = module.predict
    monkeypatch.setattr(module, "predict", lambda b: sizes.append(len(b)) or predict(b))
    monkeypatch.setattr(full_sort, "PAIRS", 7)
    assert torch.allclose(module.full_sort_predict(users), whole, atol=1e-6)
    assert max(sizes) == 7 and sum(sizes) == len(whole)


def test_full_sort_evaluation_by_recboles_trainer(loaded):
    """A ranking of all items, which RecBole's Config would ask a context-aware model for."""
    from recbole.evaluator import Collector, Evaluator
    from recbole.utils import EvaluatorType

    recalls = {}
    for base in ("WideDeep", "DIN"):
        config, module, data, loader = loaded("MWUF", base)
        config["metrics"], config["topk"] = ["Recall"], [3, data.item_num]
        config["eval_type"] = EvaluatorType.RANKING
        trainer = get_trainer(config["MODEL_TYPE"], "MWUF")(config, module)
        trainer.eval_collector, trainer.evaluator = Collector(config), Evaluator(config)
        recalls[base] = trainer.evaluate(loader, load_best_model=False)
        assert recalls[base][f"recall@{data.item_num}"] == 1
        assert 0 < recalls[base]["recall@3"] < 1
