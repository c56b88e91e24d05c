"""Checkpoints of others are read without constructing or calling anything that they name."""

from __future__ import annotations

import importlib
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from recbole.config import Config as RecBoleConfig
from recbole.model.context_aware_recommender import WideDeep
from recbole.utils import EvaluatorType, InputType, ModelType
from scipy import sparse

from recbole_mwuf.cli import main
from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base import create_base
from recbole_mwuf.trainer import checkpoint, unpickling

CODE = "__import__('os').mkdir('attacked')"


class Call:
    """Pickled as a call of anything."""

    def __init__(self, function, *args):
        self.parts = function, args

    def __reduce__(self):
        return self.parts


ATTACKS = {
    "RecBole's Config evaluates its settings": lambda: Call(
        RecBoleConfig, "BPR", "ml-100k", None, {"zz": CODE}
    ),
    "a model's constructor": lambda: Call(WideDeep, {"USER_ID_FIELD": CODE}, None),
    "any function": lambda: Call(os.mkdir, "attacked"),
    "eval": lambda: Call(eval, CODE),
    "a module": lambda: Call(importlib.import_module, "antigravity"),
}


@pytest.fixture(params=ATTACKS)
def attack(request):
    return ATTACKS[request.param]()


def test_pretrained_base(attack, settings, capsys):
    torch.save({"state_dict": {}, "config": attack}, "evil.pth", pickle_protocol=4)
    given = {**settings, "dataset": "tiny", "pretrained_base": "evil.pth"}
    assert main([f"--{name}={value}" for name, value in given.items()]) == 2
    assert "evil.pth' is not a readable checkpoint: it names no model" in capsys.readouterr().err
    assert not Path("attacked").exists()


@pytest.mark.parametrize("kind", [{}, {"kind": "warm_up", "schema": checkpoint.SCHEMA["warm_up"]}])
def test_score(attack, kind, capsys):
    torch.save({**kind, "state_dict": {}, "settings": attack}, "evil.pth", pickle_protocol=4)
    pd.DataFrame({"user_id": ["1"], "item_id": ["1"]}).to_csv("pairs.csv", index=False)
    files = ["--checkpoint=evil.pth", "--pairs=pairs.csv", "--output=scores.csv"]
    assert main(["score", *files]) == 2
    assert "holds a foreign model, not a warm_up model" in capsys.readouterr().err
    assert not Path("attacked").exists() and not Path("scores.csv").exists()


def test_what_a_file_sets_on_a_function_stays_in_the_file():
    rebuild = torch._utils._rebuild_tensor_v2
    attributes = dict(vars(rebuild))
    # the function, {"changed": True}, "set these as its attributes"
    text = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x07\x00\x00\x00changed\x88sb."
    assert unpickling._Pickle.load(io.BytesIO(text)).changed
    assert vars(rebuild) == attributes


def test_a_parameter_that_is_no_tensor_is_refused(settings):
    config = Config("MWUF", "tiny", config_dict=settings)
    data = ColdStartDataset(config)
    base = create_base(config, data)
    names = {name: Call(os.mkdir, "attacked") for name in base.state_dict()}
    theirs = RecBoleConfig.__new__(RecBoleConfig)
    theirs.final_config_dict = {"model": "WideDeep"}
    torch.save({"state_dict": names, "config": theirs}, "evil.pth", pickle_protocol=4)
    with pytest.raises(UserError, match="does not fit base=WideDeep"):
        checkpoint.load_base("evil.pth", base, data)
    assert not Path("attacked").exists()


def saved_and_read(value, protocol):
    torch.save({"state_dict": {}, "value": value}, "a.pth", pickle_protocol=protocol)
    return unpickling.plain(unpickling.load("a.pth")["value"])


@pytest.mark.parametrize("protocol", [2, 4])
def test_values_of_a_checkpoint_are_read_as_they_were(protocol):
    values = {
        "enums": [ModelType.CONTEXT, InputType.PAIRWISE, EvaluatorType.RANKING],
        "numbers": (1, 0.5, float("inf"), True, None, "text"),
        "scalars": [np.float64(0.25), np.int64(3), np.bool_(True)],
        "device": torch.device("cpu"),
        "bytes": b"\x00\xff",
    }
    read = saved_and_read(values, protocol)
    assert read == values
    assert [type(v) for v in read["scalars"]] == [np.float64, np.int64, np.bool_]


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_are_read_as_they_were(protocol):
    arrays = [
        np.arange(6, dtype=np.int32).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.matrix([[1.0, 2.0]]),
        np.array(["a", "bc"]),
    ]
    for array, read in zip(arrays, saved_and_read(arrays, protocol)):
        assert type(read) is type(array) and read.dtype == array.dtype
        assert np.array_equal(read, array)
        read[...] = array  # it can be written to


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil"])
def test_sparse_matrices_are_read_as_they_were(kind):
    """ItemKNN and EASE keep such beside their parameters."""
    matrix = sparse.random(5, 4, 0.4, random_state=1).asformat(kind)
    read = saved_and_read(matrix, 4)
    assert type(read) is type(matrix)
    assert np.array_equal(read.toarray(), matrix.toarray())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Path, "refers to pathlib.Path, which"),
        (Path("a"), r"holds a pathlib.*Path, which"),
        (Call(ModelType, 99), "99"),
        (np.array([Path("a")], dtype=object), r"holds a pathlib.*Path, which"),
    ],
)
def test_anything_else_is_refused_when_it_is_asked_for(value, message):
    with pytest.raises(ValueError, match=message):
        saved_and_read([value], 4)
