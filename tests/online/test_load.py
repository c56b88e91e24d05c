"""What a stored model may hold: nothing that runs, nothing that is missing, mixed up or damaged."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recbole_mwuf.cli import main
from recbole_mwuf.errors import UserError
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.trainer.integrity import FIELDS
from tests.config.test_harmless import ATTACK
from tests.trainer.test_checkpoint import flipped, zeroed


def test_a_stored_setting_that_recbole_evaluates(arrive, capsys):
    content = torch.load(arrive(base="FM").path, weights_only=True)
    kd_dagfm = {"base": "KD_DAGFM", "type": "outer", "depth": 1, "t_depth": 1, "alpha": 1}
    content["settings"].update(kd_dagfm, teacher=ATTACK, phase="teacher_training")
    torch.save(content, "evil.pth")
    with pytest.raises(UserError, match="teacher is"):
        ItemWarmer.load("evil.pth")
    assert main(["score", "--checkpoint=evil.pth", "--pairs=p.csv", "--output=s.csv"]) == 2
    assert not Path("attacked").exists()


@pytest.fixture
def content(arrive) -> dict:
    """What a checkpoint of MWUF on DIN holds."""
    return torch.load(arrive(base="DIN").path, weights_only=True)


def refused(content: dict, message: str) -> None:
    """Loading says what is wrong, in a line."""
    torch.save(content, "wrong.pth")
    with pytest.raises(UserError, match=message) as error:
        ItemWarmer.load("wrong.pth")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("damage", [flipped, zeroed])
def test_a_damaged_model_is_refused_or_scores_the_same(arrive, damage):
    path = Path(arrive().path)
    warmer, whole = ItemWarmer.load(path), path.read_bytes()
    items = warmer.known_items()
    users = ["3"] * len(items)
    expected, rng, n_refused = warmer.score(users, items), np.random.default_rng(1), 0
    for _ in range(200):
        Path("damaged.pth").write_bytes(damage(whole, rng))
        try:
            found = ItemWarmer.load("damaged.pth").score(users, items)
        except UserError:
            n_refused += 1
        else:
            assert np.array_equal(found, expected)
    assert n_refused > 50


def test_users_and_items_that_were_mixed_up(content):
    tokens = content["catalog"]["fields"]["item_id"]["tokens"]
    tokens[1], tokens[2] = tokens[2], tokens[1]
    refused(content, "its users and items are not those that it was saved with")


@pytest.mark.parametrize("field", sorted({*FIELDS["warm_up"], "schema"} - {"state_dict"}))
def test_every_field_is_needed(content, field):
    del content[field]
    refused(content, "has schema None" if field == "schema" else f"there is no '{field}'")


@pytest.mark.parametrize(
    ("where", "name"),
    [("catalog", "item_num"), ("catalog", "user_features"), ("items", "seen"), ("items", "recent")],
)
def test_every_field_within_is_needed(content, where, name):
    del content[where][name]
    refused(content, f"{where} is incomplete: there is no '{name}'")


def test_wrong_values(content):
    items = content["items"]
    refused({**content, "settings": []}, "'settings' is a list, but must be a dict")
    short = {**items, "seen": items["seen"][:-1]}
    refused({**content, "items": short}, "items: seen is for 11, not 12 items")
    lost = {**items, "mean_users": items["mean_users"] * float("nan")}
    refused({**content, "items": lost}, "items.mean_users holds NaN")
    refused({**content, "settings": {"base": "DIN"}}, "does not hold a model that can be built")
    refused({**content, "optimizer": [{"state": 1}] * 2}, "does not hold a model that can be built")


def test_the_data_of_training_stay_named(arrive):
    arrived = arrive()
    warmer = ItemWarmer.load(arrived.path)
    warmer.save("state.pth")
    again = torch.load("state.pth", weights_only=True)
    assert again["fingerprint"] == arrived.data.fingerprint
    ItemWarmer.load("state.pth")
