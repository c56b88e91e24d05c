"""The commands on files, as a user would start them."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recbole_mwuf.cli import main
from recbole_mwuf.data import WARM_SETS
from recbole_mwuf.online import ItemWarmer

ITEMS = pd.DataFrame({"item_id": ["NA", "b"], "category": ["c1", "c9"], "tags": ["t0 t1", ""]})


@pytest.fixture
def files(arrive):
    """A checkpoint, items and interactions as files; returns the interactions."""
    arrived = arrive()
    rows = pd.concat([arrived.interactions(name) for name in WARM_SETS])
    rows["item_id"] = np.where(rows["item_id"] == "5", "NA", rows["item_id"])
    rows = rows.assign(event_id=range(len(rows)))
    rows.to_csv("new.csv", index=False)
    ITEMS.to_csv("items.csv", index=False)
    return rows


def call(command):
    return main(command.split())


def warm(*more, output="embeddings.csv"):
    options = {"checkpoint": "model.pth", "items": "items.csv", "interactions": "new.csv"}
    return main(["warm", *(f"--{k}={v}" for k, v in options.items()), f"--output={output}", *more])


def test_warm_equals_the_calls(files, capsys):
    assert warm("--networks", "--batch_size=7", "--save=state.pth") == 0
    printed = capsys.readouterr().out
    assert "items: 2 added, 0 known before\ncategory: 1 values that training" in printed
    assert "learned 45, repeated 0, unknown_users 0, old_items 0, back_in_time" in printed
    warmer = ItemWarmer.load("model.pth")
    warmer.add_items(ITEMS)
    for start in range(0, len(files), 7):
        warmer.observe(files[start : start + 7], networks=True)
    expected = warmer.item_embeddings(warmer.new_items())
    table = pd.read_csv("embeddings.csv", index_col=0, dtype={"item_id": str}, na_filter=False)
    assert list(table.index) == warmer.new_items()
    assert {"NA", "b"} < set(table.index)
    assert np.allclose(table.to_numpy(), expected, atol=1e-7)
    # what was saved goes on: the same events are known
    assert call("warm --checkpoint state.pth --interactions new.csv --output e.csv") == 0
    assert "learned 0, repeated 45" in capsys.readouterr().out
    assert np.array_equal(pd.read_csv("e.csv").iloc[:, 1:], table)


def test_every_format_holds_the_same(files):
    for suffix in ("csv", "npz", "parquet"):
        assert warm("--which", "all", "--kind", "cold", output=f"e.{suffix}") == 0
    table = pd.read_csv("e.csv", dtype={"item_id": str}, na_filter=False)
    arrays = np.load("e.npz")
    frame = pl.read_parquet("e.parquet")
    assert len(table) == 13  # all items, old ones too
    for items in (arrays["item_id"].tolist(), frame["item_id"].to_list()):
        assert items == table["item_id"].tolist()
    assert np.array_equal(arrays["embedding"], frame["embedding"].to_numpy())
    assert np.allclose(arrays["embedding"], table.iloc[:, 1:], atol=1e-7)


def test_graduates_are_no_longer_written(files, capsys):
    many = pd.concat([files[files["item_id"] == "NA"]] * 3)
    many.assign(event_id=range(len(many))).to_csv("new.csv", index=False)
    assert warm("--promote") == 0
    assert "promoted: 1" in capsys.readouterr().out
    assert "NA" not in list(pd.read_csv("embeddings.csv", na_filter=False)["item_id"])


def test_score_appends_a_column(files, monkeypatch):
    monkeypatch.setattr("recbole_mwuf.cli.online._SCORED_AT_ONCE", 10)
    pairs = files.assign(item_id="6")[["user_id", "item_id", "label"]]
    pairs.to_csv("pairs.csv", index=False)
    assert call("score --checkpoint=model.pth --pairs=pairs.csv --output=s.csv") == 0
    scored = pd.read_csv("s.csv")
    assert list(scored) == ["user_id", "item_id", "label", "score"]
    expected = ItemWarmer.load("model.pth").score(pairs["user_id"], pairs["item_id"])
    assert np.allclose(scored["score"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("warm --checkpoint=none.pth --output=e.csv", "no checkpoint 'none.pth'"),
        ("warm --checkpoint=model.pth --output=e.txt", "output='e.txt' must end in one of .parq"),
        ("warm --checkpoint=model.pth --items=no.csv --output=e.csv", "cannot read 'no.csv'"),
        ("warm --checkpoint=model.pth --items=empty.csv --output=e.csv", "cannot read 'empty.c"),
        ("warm --checkpoint=model.pth --items=new.csv --output=e.csv", "items: no column"),
        ("warm --checkpoint=model.pth --interactions=new.csv --output=e.csv", "item_id=NA is"),
        ("score --checkpoint=model.pth --pairs=items.csv --output=e.csv", "no column ['user_id']"),
        ("score --checkpoint=model.pth --pairs=new.csv --output=e.csv", "item_id=NA is unknown"),
    ],
)
def test_bad_input(files, tmp_path, capsys, arguments, message):
    (tmp_path / "empty.csv").touch()
    before = sorted(tmp_path.iterdir())
    assert call(arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id,item_id,user_id\n1,6,2\n", "has two columns 'user_id'"),
        ("user_id,item_id\n1,6,2\n", "line 2: has more cells than the header"),
        ("user_id,item_id\n1,6\n1,6,7\n", "Expected 2 fields in line 3, saw 3"),
        ("user_id,item_id\n1\n", "item_id is missing in row 0"),
        ("user_id,item_id\n,6\n", "user_id is missing in row 0"),
        ("user_id,item_id\n1,\xe4\n".encode("latin-1"), "cannot read 'pairs.csv': 'utf-8' codec"),
        ("user_id,item_id\n1,6\n".encode("utf-16"), "cannot read 'pairs.csv': 'utf-8' codec"),
    ],
)
def test_bad_pairs(arrive, capsys, content, message):
    arrive()
    Path("pairs.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert call("score --checkpoint=model.pth --pairs=pairs.csv --output=s.csv") == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not Path("s.csv").exists()


def test_a_byte_order_mark_is_no_part_of_the_first_name(arrive):
    arrive()
    Path("pairs.csv").write_text("user_id,item_id\n1,6\n", encoding="utf-8-sig")
    assert call("score --checkpoint=model.pth --pairs=pairs.csv --output=s.csv") == 0


@pytest.mark.parametrize("arguments", ["warm", "warm --batch_size=0", "score --checkpoint=x"])
def test_bad_options(arguments, capsys):
    assert call(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
