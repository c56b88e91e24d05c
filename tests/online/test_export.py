"""What is exported gives the same figures in onnxruntime as the Python path."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch

from recbole_mwuf.cli import main
from recbole_mwuf.data import WARM_SETS
from recbole_mwuf.online import ItemWarmer

TOLERANCE = 1e-5  # the issue's


@pytest.fixture
def exported(arrive):
    """Trains, warms up, adds an item, exports; returns the warmer and a way to run a file."""

    def build(method="MWUF", base="WideDeep"):
        arrived = arrive(method, base)
        warmer = ItemWarmer.load(arrived.path)
        warmer.add_items(pd.DataFrame({"item_id": ["a"], "category": ["c1"], "tags": ["t0 t2"]}))
        for name in WARM_SETS:
            rows = arrived.interactions(name)
            warmer.observe(pd.concat([rows, rows[:4].assign(item_id="a")]), networks=True)
        warmer.save("state.pth")
        assert main(["export", "--checkpoint=state.pth", "--output=served"]) == 0

        def run(name, inputs):
            session = onnxruntime.InferenceSession(f"served/{name}.onnx")
            names = {i.name for i in session.get_inputs()}
            assert names <= set(inputs)
            (output,) = session.run(None, {n: v for n, v in inputs.items() if n in names})
            return output

        return warmer, run

    return build


def columns_of(warmer, items, warm):
    """What a server keeps of each item, and what it computes."""
    ids = torch.from_numpy(warmer.catalog.ids("item_id", items))
    own, new = warmer.model.table.rows(ids), warmer.model.new_ids(ids)
    is_old = warmer.model.is_old[ids][:, None].numpy()
    columns = {name: warmer.catalog.item_feat[name][ids].numpy() for name in ("category", "tags")}
    columns["item_embedding"] = warm
    if new.first_order is not None:
        pair = (x.first_order.detach().numpy() for x in (own, new))
        columns["item_first_order"] = np.where(is_old, *pair)
    columns["history"] = warmer.items.recent[ids]
    columns["history_length"] = np.minimum(warmer.items.seen[ids], columns["history"].shape[1])
    return columns


@pytest.mark.slow
@pytest.mark.parametrize("base", ["WideDeep", "DCN", "DIN"])
def test_in_onnxruntime_as_in_python(exported, base):
    warmer, run = exported(base=base)
    vocabulary = json.loads(Path("served/vocabulary.json").read_text())
    new = warmer.new_items()
    ids = torch.from_numpy(warmer.catalog.ids("item_id", new))
    inputs = columns_of(warmer, new, warmer.item_embeddings(new, "cold"))
    warm = run("warm_up", {**inputs, "mean_user_embedding": warmer.items.mean_users[ids]})
    assert np.abs(warm - warmer.item_embeddings(new)).max() < TOLERANCE

    items = warmer.known_items()
    users = [str(u) for u in range(1, 31)]
    pairs = [(u, i) for u in users for i in items]
    user, item = zip(*pairs)
    inputs = columns_of(warmer, item, warmer.item_embeddings(item))
    inputs["user_id"] = np.array([vocabulary["user_id"].index(u) for u in user])
    scores = run("scorer", inputs)
    expected = warmer.score(user, item)
    assert np.abs(scores - expected).max() < TOLERANCE
    assert expected.std() > 100 * TOLERANCE
    one = {name: column[:1] for name, column in inputs.items()}
    assert np.abs(run("scorer", one) - expected[:1]).max() < TOLERANCE


@pytest.mark.slow
def test_other_methods_have_no_warm_up_function(exported):
    exported("MetaEmb")
    assert sorted(f.name for f in Path("served").iterdir()) == ["scorer.onnx", "vocabulary.json"]
