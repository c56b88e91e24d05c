"""Each entry of compat.py and each override that newer libraries need, by what it gives."""

import numpy as np
import pandas as pd
import pytest
import torch
from recbole.trainer import hyper_tuning
from scipy.sparse import dok_matrix

from recbole_mwuf.compat import newer_scipy_and_hyperopt, older_libraries
from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from tests.conftest import TINY, write_tiny


def test_nothing_is_left_behind():
    agg, read_csv, names = pd.Series.agg, pd.read_csv, set(vars(np))
    with pytest.raises(KeyError), older_libraries():
        assert (np.float_, np.complex_, np.unicode_) == (np.float64, np.complex128, np.str_)
        raise KeyError
    assert (pd.Series.agg, pd.read_csv, set(vars(np))) == (agg, read_csv, names)


def test_a_block_within_a_block():
    agg = pd.Series.agg
    with older_libraries():
        with older_libraries():
            pass
        assert pd.Series([np.arange(3)]).agg(len).tolist() == [3]
    assert pd.Series.agg is agg


def test_a_matrix_is_filled_as_recboles_graph_models_do():
    data = {(0, 1): 1, (2, 0): 3}
    before = "_update" in vars(dok_matrix)
    with newer_scipy_and_hyperopt():
        matrix = dok_matrix((3, 2), dtype=np.float32)
        matrix._update(data)
    assert matrix.toarray().tolist() == [[0, 1], [0, 0], [3, 0]]
    assert ("_update" in vars(dok_matrix)) == before


def test_exhaustive_search_tries_everything_once():
    hyperopt = pytest.importorskip("hyperopt")
    space = {name: hyperopt.hp.choice(name, [1, 2, 3]) for name in ("a", "b")}
    tried, original = [], hyper_tuning.exhaustive_search

    def trial(params):
        tried.append((params["a"], params["b"]))
        return params["a"]

    with newer_scipy_and_hyperopt():
        search = hyper_tuning.exhaustive_search
        hyperopt.fmin(trial, space, algo=search, max_evals=9, show_progressbar=False)
    assert sorted(tried) == [(a, b) for a in (1, 2, 3) for b in (1, 2, 3)]
    assert hyper_tuning.exhaustive_search is original
    assert hyper_tuning.np is np


def test_lengths_of_the_values():
    column = pd.Series([np.arange(3), np.arange(1)])
    with older_libraries():
        assert list(column.agg(len)) == [3, 1]
        assert column.agg(np.concatenate).tolist() == [0, 1, 2, 0]


def test_empty_cells_of_sequences_only(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("word:token\ttags:token_seq\nx\t\n\ta b\n")
    with older_libraries():
        frame = pd.read_csv(file, sep="\t", dtype=str)
    assert frame["tags:token_seq"].tolist() == ["", "a b"]
    assert frame["word:token"].isna().tolist() == [False, True]


def test_a_token_may_be_called_na(tmp_path):
    file = tmp_path / "a.inter"
    text = "word:token\ttags:token_seq\tnumber:float\nNA\tnull\tNA\n\t\tnan\n"
    kinds = {"word:token": str, "tags:token_seq": str, "number:float": np.float64}
    for separator in ("\t", "::"):  # one character; a pattern, for pandas' other engine
        file.write_text(text.replace("\t", separator))
        with older_libraries():
            frame = pd.read_csv(file, delimiter=separator, dtype=kinds, engine="python")
        assert frame["word:token"].fillna("-").tolist() == ["NA", "-"]
        assert frame["tags:token_seq"].tolist() == ["null", ""]
        assert frame["number:float"].isna().all()


@pytest.fixture
def with_gaps(tmp_path):
    """The small data set with empty cells and a sequence of numbers; builds the data set."""
    write_tiny(tmp_path)
    users = pd.read_csv(tmp_path / "tiny/tiny.user", sep="\t")
    users["height:float"] = [np.nan, *np.arange(1.0, len(users))]
    users.loc[3, "age:token"] = np.nan
    users.to_csv(tmp_path / "tiny/tiny.user", sep="\t", index=False)
    items = pd.read_csv(tmp_path / "tiny/tiny.item", sep="\t")
    items.loc[1, "tags:token_seq"] = np.nan
    items["prices:float_seq"] = [" ".join(["4", "2", "8"][: i % 3 + 1]) for i in range(len(items))]
    items.to_csv(tmp_path / "tiny/tiny.item", sep="\t", index=False)

    def build(**changes):
        load_col = {**TINY["load_col"], "user": "*", "item": "*"}
        settings = {**TINY, "data_path": str(tmp_path), "load_col": load_col, **changes}
        return ColdStartDataset(Config("WideDeep", "tiny", config_dict=settings))

    return build


def test_missing_values_are_filled_as_recbole_says(with_gaps):
    data = with_gaps()
    number = data.field2token_id["user_id"]
    heights = data.user_feat["height"]
    assert heights[number["1"]] == pytest.approx(np.arange(1, 30).mean())
    assert heights[number["2"]] == 1
    assert data.user_feat["age"][number["4"]] == 0
    second = data.field2token_id["item_id"]["2"]
    assert data.item_feat["tags"][second].tolist() == [0, 0, 0]
    assert not any(torch.isnan(data.user_feat[name].float()).any() for name in ("height", "age"))


def test_a_sequence_of_numbers_is_normalised(with_gaps):
    data = with_gaps(normalize_field=["prices"], numerical_features=["prices"])
    third = data.field2token_id["item_id"]["3"]
    # 4, 2, 8 between their least and their greatest; a numerical feature has ones beside it
    expected = [[1 / 3, 1], [0, 1], [1, 1]]
    assert torch.allclose(data.item_feat["prices"][third], torch.tensor(expected))


def test_the_faster_engine_reads_the_same(tmp_path):
    file = tmp_path / "a.inter"
    numbers = ["0.1", "978300760", "1e-7", "3.14159265358979323846", "", "123456789.987654321"]
    words = ["a b", '"quoted"', "5' 6", "", "x", "é"]
    rows = "\n".join(f"{word}\t{number}" for word, number in zip(words, numbers))
    file.write_text(f"word:token\tnumber:float\n{rows}\n", encoding="utf-8")
    asked = {
        "delimiter": "\t",
        "dtype": {"word:token": str, "number:float": np.float64},
        "encoding": "utf-8",
        "engine": "python",
    }
    with older_libraries():
        ours = pd.read_csv(file, **asked)
    pd.testing.assert_frame_equal(ours, pd.read_csv(file, **asked), check_exact=True)
