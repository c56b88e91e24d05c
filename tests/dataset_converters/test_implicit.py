"""``--implicit``: positive interactions, without a column that says so."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml

from dataset_converters import ConversionError
from dataset_converters.cli import main
from tests.dataset_converters import raw_layouts
from tests.dataset_converters.converted import raw_rows

HEADER = ["user_id:token", "item_id:token", "timestamp:float"]


@pytest.mark.parametrize(
    ("write", "file", "separator"),
    [
        (raw_layouts.write_ml_1m, "ratings.dat", "::"),
        (raw_layouts.write_ml_100k, "u.data", "\t"),
        (raw_layouts.write_ml_csv, "ratings.csv", ","),
    ],
)
def test_movielens_keeps_ratings_from_four(run, tmp_path, write, file, separator):
    write(tmp_path / "raw", seed=5)
    out = run("movielens", tmp_path / "raw", implicit=True)
    raw = raw_rows(tmp_path / "raw" / file, separator, header=file.endswith("csv"))
    kept = [[u, i, t] for u, i, rating, t in raw if float(rating) >= 4]
    assert 0 < len(kept) < len(raw)
    assert out.header("inter") == HEADER
    assert out.rows("inter") == kept
    assert out.report["skipped"] == {"not positive": len(raw) - len(kept)}
    assert out.report["positives"] == out.report["written"]["inter"] == len(kept)


def test_taobao_keeps_clicks(run, taobao_raw):
    out = run("taobao", taobao_raw, implicit=True, min_item_count=0)
    raw = raw_rows(taobao_raw / "raw_sample.csv", header=True)
    assert out.header("inter") == HEADER
    assert out.rows("inter") == [[u, ad, t] for u, t, ad, _, _, clk in raw if clk == "1"]


def test_cikm_keeps_purchases(run, cikm_raw):
    raw = raw_rows(cikm_raw / "user_behavior.csv")
    bought = [[u, i, t] for u, i, behavior, t in raw if behavior == "buy"]
    out = run("cikm2019", cikm_raw, implicit=True, min_item_count=0)
    assert out.rows("inter") == bought
    first: dict[tuple[str, str], list[str]] = {}
    for user, item, seconds in sorted(bought, key=lambda row: int(row[2])):
        first.setdefault((user, item), [user, item, seconds])
    out = run("cikm2019", cikm_raw, implicit=True, label="per_pair", min_item_count=0, name="pairs")
    assert sorted(out.rows("inter")) == sorted(first.values())
    assert len(first) < len(bought)


def test_items_are_counted_by_positive_interactions(run, cikm_raw):
    out = run("cikm2019", cikm_raw, implicit=True, min_item_count=5)
    raw = raw_rows(cikm_raw / "user_behavior.csv")
    counts = Counter(item for _, item, behavior, _ in raw if behavior == "buy")
    kept = {item for item, n in counts.items() if n >= 5}
    assert 0 < len(kept) < len(counts)
    assert out.rows("inter") == [[u, i, t] for u, i, b, t in raw if b == "buy" and i in kept]
    assert {row[0] for row in out.rows("item")} == kept


def test_without_a_positive_interaction(run, ml_1m_raw):
    (ml_1m_raw / "ratings.dat").write_text("1::2::3::4\n")
    with pytest.raises(ConversionError, match="found no positive interaction"):
        run("movielens", ml_1m_raw, implicit=True)


def test_recbole_sees_implicit_feedback(ml_1m_raw, tmp_path, monkeypatch):
    pytest.importorskip("recbole")
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation

    from recbole_mwuf.compat import older_libraries

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["test"])
    command = ["movielens", "--input", str(ml_1m_raw), "--output", "mini", "--implicit"]
    assert main(command) == 0
    settings = yaml.safe_load((tmp_path / "mini" / "mini.yaml").read_text())
    assert settings["load_col"]["inter"] == ["user_id", "item_id", "timestamp"]
    assert not {"threshold", "RATING_FIELD"} & set(settings)
    with older_libraries():
        config = Config(
            model="BPR",
            dataset="mini",
            config_file_list=["mini/mini.yaml"],
            config_dict={"data_path": str(tmp_path), "state": "ERROR"},
        )
        dataset = create_dataset(config)
        train, _, _ = data_preparation(config, dataset)
    assert list(dataset.inter_feat.columns) == ["user_id", "item_id", "timestamp"]
    assert "neg_item_id" in next(iter(train)).columns  # negatives are sampled
