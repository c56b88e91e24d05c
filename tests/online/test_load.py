"""What a stored model may hold: nothing that runs, nothing that is missing, mixed up or damaged."""

from pathlib import Path

import pytest
import torch

from recbole_mwuf.cli import main
from recbole_mwuf.errors import UserError
from recbole_mwuf.online import ItemWarmer
from tests.config.test_harmless import ATTACK


def test_a_stored_setting_that_recbole_evaluates(arrive, capsys):
    content = torch.load(arrive(base="FM").path, weights_only=True)
    kd_dagfm = {"base": "KD_DAGFM", "type": "outer", "depth": 1, "t_depth": 1, "alpha": 1}
    content["settings"].update(kd_dagfm, teacher=ATTACK, phase="teacher_training")
    torch.save(content, "evil.pth")
    with pytest.raises(UserError, match="teacher is"):
        ItemWarmer.load("evil.pth")
    assert main(["score", "--checkpoint=evil.pth", "--pairs=p.csv", "--output=s.csv"]) == 2
    assert not Path("attacked").exists()
