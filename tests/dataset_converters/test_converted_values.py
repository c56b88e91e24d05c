"""Every value written equals the raw files', which the tests read in their own way."""

from __future__ import annotations

import csv
import random
from collections import Counter

import numpy as np
import pytest
import yaml

from dataset_converters import ConversionError
from tests.dataset_converters import raw_layouts
from tests.dataset_converters.converted import raw_rows

NK = {"old_item_threshold": 20, "phase_size": 2}


def unknown_rows(ids: set[str], known: list[list[str]]) -> list[list[str]]:
    """The rows of unknowns that follow the feature rows ``known``."""
    missing = sorted(map(int, ids - {row[0] for row in known}))
    return [[str(number)] + [""] * (len(known[0]) - 1) for number in missing]


def test_taobao_without_filter(run, taobao_raw, block_size):
    out = run("taobao", taobao_raw, min_item_count=0, **NK)
    raw = raw_rows(taobao_raw / "raw_sample.csv", header=True)
    assert out.header("inter") == [
        "user_id:token", "item_id:token", "label:float", "timestamp:float"
    ]  # fmt: skip
    assert out.rows("inter") == [[u, ad, clk, t] for u, t, ad, _, _, clk in raw]
    profiles = raw_rows(taobao_raw / "user_profile.csv", header=True)
    assert out.rows("user") == profiles + unknown_rows({row[0] for row in raw}, profiles)
    assert out.header("user")[-1] == "new_user_class_level:token"
    assert any("" in row for row in out.rows("user"))
    ads = raw_rows(taobao_raw / "ad_feature.csv", header=True)
    assert "NULL" in {ad[4] for ad in ads}
    assert [row[:5] for row in out.rows("item")] == [
        [*ad[:4], "" if ad[4] == "NULL" else ad[4]] for ad in ads
    ]
    assert [float(row[5]) for row in out.rows("item")] == [float(ad[5]) for ad in ads]
    assert out.header("item")[-1] == "price:float"


def test_taobao_report(run, taobao_raw):
    out = run("taobao", taobao_raw, min_item_count=0, **NK)
    raw = raw_rows(taobao_raw / "raw_sample.csv", header=True)
    profiles = {row[0] for row in raw_rows(taobao_raw / "user_profile.csv", header=True)}
    counts = Counter(row[2] for row in raw)
    unknown = {row[0] for row in raw} - profiles
    copies = sum(n - 1 for n in Counter(map(tuple, raw)).values())
    report = out.report
    assert copies >= 7
    assert report["duplicates"] == copies
    assert unknown
    assert report["without_features"]["user"] == {
        "ids": len(unknown),
        "interactions": sum(row[0] in unknown for row in raw),
    }
    assert report["items_by_group"] == {
        "old": sum(n > 20 for n in counts.values()),
        "new": sum(6 < n <= 20 for n in counts.values()),
        "too_few": sum(n <= 6 for n in counts.values()),
    }
    assert report["positives"] == sum(row[5] == "1" for row in raw)
    times = [int(row[1]) for row in raw]
    assert report["time_span"] == {"first": min(times), "last": max(times), "epoch": True}
    assert report["read"] == {"inter": 900, "user": 50, "item": 60}
    assert report["written"] == {"inter": 900, "user": 50 + len(unknown), "item": 60}


def test_min_item_count_leaves_out_items_and_what_belongs_to_them(run, taobao_raw):
    full = run("taobao", taobao_raw, min_item_count=0, **NK)
    out = run("taobao", taobao_raw, name="default", **NK)
    counts = Counter(row[1] for row in full.rows("inter"))
    kept = {item for item, n in counts.items() if n >= 7}  # 3K + 1
    assert 0 < len(kept) < len(counts)
    assert out.report["min_item_count"] == 7
    assert out.rows("inter") == [row for row in full.rows("inter") if row[1] in kept]
    assert out.rows("item") == [row for row in full.rows("item") if row[0] in kept]
    users = {row[0] for row in out.rows("inter")}
    assert out.rows("user") == [row for row in full.rows("user") if row[0] in users]
    assert out.report["skipped"] == {
        "item below min_item_count": sum(n for n in counts.values() if n < 7)
    }
    assert out.report["items_by_group"] == full.report["items_by_group"]


def test_min_item_count_that_leaves_nothing(run, taobao_raw):
    with pytest.raises(ConversionError, match=r"no item has 5000 .*the most that one has is \d+"):
        run("taobao", taobao_raw, min_item_count=5000)


def test_drop_duplicates_keeps_the_first_of_each(run, taobao_raw):
    out = run("taobao", taobao_raw, min_item_count=0, drop_duplicates=True)
    raw = list(dict.fromkeys(map(tuple, raw_rows(taobao_raw / "raw_sample.csv", header=True))))
    assert out.rows("inter") == [[u, ad, clk, t] for u, t, ad, _, _, clk in raw]
    assert out.report["skipped"] == {"duplicate": 900 - len(raw)}


def test_cikm_per_row(run, cikm_raw, block_size):
    out = run("cikm2019", cikm_raw, min_item_count=0)
    raw = raw_rows(cikm_raw / "user_behavior.csv")
    assert out.rows("inter") == [[u, i, str(int(b == "buy")), t] for u, i, b, t in raw]
    assert {row[2] for row in out.rows("inter")} == {"0", "1"}
    users, items = raw_rows(cikm_raw / "user.csv"), raw_rows(cikm_raw / "item.csv")
    assert out.rows("user") == users + unknown_rows({row[0] for row in raw}, users)
    assert out.rows("item") == items + unknown_rows({row[1] for row in raw}, items)
    assert len(users) < len(out.rows("user"))
    assert out.header("user") == [
        "user_id:token", "gender:token", "age:token", "purchasing_power:token"
    ]  # fmt: skip
    assert out.header("item") == [
        "item_id:token", "category:token", "shop:token", "brand:token"
    ]  # fmt: skip
    assert out.report["time_span"]["epoch"] is False


def test_cikm_per_pair(run, cikm_raw):
    out = run("cikm2019", cikm_raw, min_item_count=0, label="per_pair")
    pairs: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    raw = raw_rows(cikm_raw / "user_behavior.csv")
    for row, (user, item, behavior, seconds) in enumerate(raw):
        pairs.setdefault((user, item), []).append((int(seconds), row, behavior))
    expected = {}
    for (user, item), rows in pairs.items():
        bought = [row for row in rows if row[2] == "buy"]
        seconds, row, _ = min(bought) if bought else max(rows)
        expected[row] = [user, item, str(int(bool(bought))), str(seconds)]
    assert out.rows("inter") == [expected[row] for row in sorted(expected)]
    assert len(expected) < len(raw)
    assert out.report["skipped"] == {"merged into its pair's row": len(raw) - len(expected)}


def test_cikm_rounds_are_merged_in_order(run, cikm_raw, tmp_path):
    other = tmp_path / "round-2"
    raw_layouts.write_cikm2019(
        other, rows=300, items=80, users=70, without_features=0, copies=0, seed=9
    )
    out = run("cikm2019", other, cikm_raw, min_item_count=0)
    first, second = (raw_rows(folder / "user_behavior.csv") for folder in (other, cikm_raw))
    assert [row[0] for row in out.rows("inter")] == [row[0] for row in first + second]
    users = raw_rows(other / "user.csv")
    known = {row[0] for row in users}
    users += [row for row in raw_rows(cikm_raw / "user.csv") if row[0] not in known]
    assert out.rows("user") == users + unknown_rows({row[0] for row in first + second}, users)
    assert out.report["repeated_ids"]["user"] == 47 + 70 - len(users)


def test_settings_file_fits_the_data(run, ml_1m_raw, taobao_raw):
    out = run("movielens", ml_1m_raw, name="mini")
    settings = yaml.safe_load((out.folder / "mini.yaml").read_text())
    assert settings["threshold"] == {"rating": 4}
    assert (settings["old_item_threshold"], settings["phase_size"]) == (200, 20)
    out = run("taobao", taobao_raw, name="ads", **NK)
    settings = yaml.safe_load((out.folder / "ads.yaml").read_text())
    assert settings["LABEL_FIELD"] == "label"
    assert "threshold" not in settings
    assert (settings["old_item_threshold"], settings["phase_size"]) == (20, 2)
    for suffix, columns in settings["load_col"].items():
        assert set(columns) <= {name.split(":")[0] for name in out.header(suffix)}


@pytest.mark.parametrize("name", ["ml-1m", "ml-10m", "ml-csv", "taobao-ad", "cikm2019"])
def test_recbole_loads_the_result(run, tmp_path, name, monkeypatch, taobao_raw, cikm_raw):
    pytest.importorskip("recbole")
    from recbole.config import Config
    from recbole.data import create_dataset

    from recbole_mwuf.compat import older_libraries

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["test"])
    if name == "taobao-ad":
        out = run("taobao", taobao_raw, name=name, min_item_count=0, **NK)
    elif name == "cikm2019":
        out = run("cikm2019", cikm_raw, name=name, min_item_count=0)
    else:
        getattr(raw_layouts, f"write_{name.replace('-', '_')}")(tmp_path / "raw", seed=3)
        out = run("movielens", tmp_path / "raw", name=name)
    with older_libraries():
        config = Config(
            model="WideDeep",
            dataset=name,
            config_file_list=[str(out.folder / f"{name}.yaml")],
            config_dict={"data_path": str(tmp_path), "state": "ERROR"},
        )
        dataset = create_dataset(config)
    rows = out.rows("inter")
    assert dataset.inter_num == len(rows)
    tokens = dataset.field2id_token
    users = tokens["user_id"][dataset.inter_feat["user_id"]]
    items = tokens["item_id"][dataset.inter_feat["item_id"]]
    assert [users.tolist(), items.tolist()] == [[r[0] for r in rows], [r[1] for r in rows]]
    labels = [float(row[2]) for row in rows]
    if "ml" in name:
        labels = [float(label >= 4) for label in labels]
    assert dataset.inter_feat["label"].tolist() == labels
    # Features as RecBole sees them, item by item.
    for field in ("movie_title", "genre") if "ml" in name else dataset.item_feat.columns[1:]:
        column = [head.split(":")[0] for head in out.header("item")].index(field)
        for row in random.Random(0).sample(out.rows("item"), 20):
            number = dataset.field2token_id["item_id"].get(row[0])
            if number is None:
                continue
            ids = dataset.item_feat.set_index("item_id")[field][number]
            seen = [tokens[field][int(i)] for i in np.ravel(ids) if i]
            assert seen == [word for word in row[column].split(" ") if word]


def test_generators_are_seeded(tmp_path):
    for name in ("a", "b"):
        raw_layouts.write_taobao(
            tmp_path / name, rows=50, ads=9, profiles=9, users_without_profile=1, copies=1, seed=4
        )
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    with open(tmp_path / "a" / "user_profile.csv", newline="") as file:
        assert next(csv.reader(file))[-1] == "new_user_class_level "
