"""Taste features behind RecBole's own doors."""

from pathlib import Path

import pytest
import torch
from recbole.config import Config as RecBoleConfig
from recbole.data.interaction import Interaction

from recbole_mwuf.compat import older_libraries
from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.errors import UserError
from recbole_mwuf.integration.checkpoints import read_for_recbole
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import get_method

TASTE = {"taste_fields": ["tags", "category"], "taste_user_fields": ["age"]}


@pytest.fixture
def loaded(settings):
    """A model from its checkpoint and the set that it is tested on, as RecBole's code has them."""

    def load(base):
        result = run("MWUF", base, "tiny", config_dict={**settings, **TASTE, "base_phases": False})
        content = read_for_recbole(result.checkpoint)
        data = ColdStartDataset(content["config"])
        train, _, test = data.build()
        model = get_method("MWUF")(content["config"], train)
        model.load_state_dict(content["state_dict"])
        return model.eval(), data, test

    return load


def test_rows_that_recboles_loaders_take_carry_them(loaded):
    model, data, test = loaded("DIN")
    rows = torch.from_numpy(data.split.rows("test"))
    assert torch.equal(model.predict(test[:]), model.predict(data.batch(rows, "warm_c")))


def test_full_sort_scores_each_pair_with_its_own_numbers(loaded):
    model, data, _ = loaded("WideDeep")
    users = torch.tensor([2, 7])
    found = model.full_sort_predict(data.join(Interaction({"user_id": users})))
    items = torch.arange(data.item_num)
    for user, scores in zip(users, found.view(2, -1)):
        pair = torch.full_like(items, user), items
        columns = data.join(Interaction({"user_id": pair[0], "item_id": pair[1]}))
        columns.update(Interaction(data.context(*pair)))
        assert torch.allclose(model.predict(columns), scores, atol=1e-6)


def test_full_sort_of_a_base_that_reads_histories_is_refused(loaded):
    model, *_ = loaded("DIN")
    with pytest.raises(UserError, match="histories cannot rank all items if taste_fields is set"):
        model.full_sort_predict(Interaction({"user_id": torch.ones(1, dtype=torch.long)}))


def test_recboles_config_does_not_know_their_names(settings):
    with older_libraries():
        config = RecBoleConfig("WideDeep", "tiny", config_dict={**settings, **TASTE})
    with pytest.raises(UserError, match=r"taste_fields=.* needs .* recbole_mwuf.Config"):
        ColdStartDataset(config)
    assert config["numerical_features"] == []


def test_a_base_of_other_numbers_is_refused(settings):
    run("WideDeep", dataset="tiny", config_dict={**settings, **TASTE})
    (base,) = Path("saved").glob("*-base-*.pth")
    given = {**settings, **TASTE, "pretrained_base": str(base)}
    run("MWUF", "WideDeep", "tiny", config_dict=given)
    with pytest.raises(UserError, match="taste_fields"):
        run("MWUF", "WideDeep", "tiny", config_dict={**given, "taste_folds": 3})


def test_a_loaded_data_set_serves_the_next_run_of_the_same_numbers(make, settings):
    _, data = make(**TASTE)
    same = Config("MWUF", "tiny", config_dict={**settings, **TASTE})
    assert data.fits(same)
    for changes in ({"taste_folds": 3}, {"taste_fields": None}, {"taste_user_fields": None}):
        assert not data.fits(Config("MWUF", "tiny", config_dict={**settings, **TASTE, **changes}))
