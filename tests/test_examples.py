"""The examples as written, from an installed wheel, in an empty folder."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def output(installed):
    """Runs an example; returns the lines that it prints."""

    def run(name, *arguments):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", EXAMPLES / f"{name}.py", *arguments],
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def values(line):
    """The metrics at the end of a line."""
    return ast.literal_eval(line[line.index("{") :])


@pytest.mark.slow
def test_registered_names(output):
    lines = output("registered_names")
    assert [line.split()[0] for line in lines] == ["cold", "warm_a", "warm_b", "warm_c"]
    assert all(0.55 < values(line)["auc"] < 0.8 for line in lines)


@pytest.mark.slow
def test_recbole_models(output):
    rows = [line.split() for line in output("recbole_models")]
    for name in ("FM", "PNN"):
        (row,) = (row for row in rows if row[:3] == ["next_phase", "auc", name])
        assert all(0.6 < float(value) < 0.8 for value in row[3:])


@pytest.mark.slow
def test_warm_up_a_recbole_base(output):
    first, *table = output("warm_up_a_recbole_base")
    assert 0.65 < values(first)["auc"] < 0.8
    rows = {tuple(line.split()[:3]): line.split()[3:] for line in table[1:]}
    for name in ("WideDeep", "MWUF(WideDeep)"):
        cold, *warm = map(float, rows["next_phase", "auc", name])
        assert 0.6 < cold < min(warm) and max(warm) < 0.8


@pytest.mark.slow
def test_evaluate_with_recbole(output):
    recboles, ours = output("evaluate_with_recbole")
    assert values(recboles) == values(ours)


def write_as_ml_1m(folder, rows_of_item):
    """Random ratings in the layout of MovieLens-1M."""
    rng = np.random.default_rng(3)
    items = np.repeat(np.arange(1, len(rows_of_item) + 1), rows_of_item)
    tables = {
        "inter": pd.DataFrame(
            {
                "user_id:token": rng.integers(1, 101, len(items)),
                "item_id:token": items,
                "rating:float": rng.integers(1, 6, len(items)),
                "timestamp:float": rng.integers(10**9, 10**9 + 10**6, len(items)),
            }
        ),
        "user": pd.DataFrame({"user_id:token": range(1, 101)}).assign(
            **{"age:token": 1, "gender:token": "F", "occupation:token": 2}
        ),
        "item": pd.DataFrame({"item_id:token": range(1, len(rows_of_item) + 1)}).assign(
            **{"movie_title:token_seq": "A B", "release_year:token": 1990, "genre:token_seq": "C"}
        ),
    }
    folder.mkdir()
    for suffix, table in tables.items():
        table.to_csv(folder / f"ml-1m.{suffix}", sep="\t", index=False)


@pytest.mark.slow
def test_online_new_item(output, tmp_path):
    """Three of four new items are held out; 40 ratings of each come after its first 60."""
    write_as_ml_1m(tmp_path / "ml-1m", [250] * 8 + [100] * 4)
    methods = ["WideDeep", "MWUF", "KalmanWarmUp"]
    output("online_new_item", "--data=ml-1m", "--output=curve", "--methods", *methods)
    output("online_new_item", "--data=ml-1m", "--output=curve", "--methods", "KalmanWarmUp+taste")
    methods.append("KalmanWarmUp+taste")
    table = pd.read_csv("curve.csv", index_col="seen")
    assert list(table.index) == [0, 1, 2, 5, 10, 20, 40, 60]
    assert (table["ratings_scored"] == 3 * 40).all()
    assert list(table) == [*methods, "ratings_scored"]
    assert table[methods].apply(lambda c: c.between(0, 1)).all(axis=None)
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_exploration(output, tmp_path):
    write_as_ml_1m(tmp_path / "ml-1m", [250] * 8 + [100] * 4)
    output("exploration", "--data=ml-1m", "--output=table.csv", "--rounds=3")
    table = pd.read_csv("table.csv", index_col="policy")
    assert list(table.index) == ["random", "greedy", "thompson", "ucb, c=0.5", "ucb, c=1"]
    assert (table["items shown"] == 3).all()  # of four new items three are held out
    assert table.drop(columns="items shown").apply(lambda c: c.between(0, 1)).all(axis=None)


@pytest.mark.slow
def test_calibration(output):
    head, *rows = output("calibration", "--output=calibration")
    assert head.split() == ["phase", "cold", "warm_a", "warm_b", "warm_c"]
    errors = {line[:22].strip(): [float(x) for x in line.split()[-4:]] for line in rows[1:]}
    assert len(errors) == 4
    assert all(0 < error < 0.3 for row in errors.values() for error in row)
    bins = pd.read_csv("calibration.csv")
    n_rows = bins.groupby(["phase", "method"])["samples"].sum().unstack()
    assert n_rows.nunique(axis=1).eq(1).all()  # all methods score the same samples
    assert Path("calibration.png").read_bytes().startswith(b"\x89PNG")


def test_every_example_is_run():
    tested = {name[len("test_") :] for name in globals() if name.startswith("test_")}
    assert {file.stem for file in EXAMPLES.glob("*.py")} <= tested
