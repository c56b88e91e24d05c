"""Every value written equals the raw files', which the tests read in their own way."""

from __future__ import annotations

import csv
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from dataset_converters import ConversionError, sources
from tests.dataset_converters import raw_layouts

ML_1M = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ml-1m.zip"
NK = {"old_item_threshold": 20, "phase_size": 2}


def raw_rows(path: Path, separator: str = ",", header: bool = False) -> list[list[str]]:
    """The cells of a raw file without quotes."""
    lines = path.read_text("utf-8").splitlines()[header:]
    return [line.split(separator) for line in lines]


def unknown_rows(ids: set[str], known: list[list[str]]) -> list[list[str]]:
    """The rows of unknowns that follow the feature rows ``known``."""
    missing = sorted(map(int, ids - {row[0] for row in known}))
    return [[str(number)] + [""] * (len(known[0]) - 1) for number in missing]


@pytest.fixture(params=[None, 40], ids=["one block", "many blocks"])
def block_size(request, monkeypatch):
    """Files in one block, and in blocks of a line or two."""
    if request.param:
        monkeypatch.setattr(sources, "BLOCK_BYTES", request.param)


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


def test_ml_1m_layout(run, ml_1m_raw, block_size):
    out = run("movielens", ml_1m_raw, name="mini")
    assert out.rows("inter") == raw_rows(ml_1m_raw / "ratings.dat", "::")
    assert out.rows("user") == [
        [u, age, gender, job, zip_code]
        for u, gender, age, job, zip_code in raw_rows(ml_1m_raw / "users.dat", "::")
    ]
    assert out.rows("item")[:4] == [
        ["1", "Misérables, Les", "1995", "Drama Children's Film-Noir"],
        ["2", "Alien³", "1992", "Drama Children's Film-Noir"],
        ["3", "Metisse (Café)", "1993", "Drama Children's Film-Noir"],
        ["4", "Heat", "1995", "Drama Children's Film-Noir"],
    ]


def test_ml_100k_layout(run, tmp_path):
    raw_layouts.write_ml_100k(tmp_path / "raw", seed=2)
    out = run("movielens", tmp_path / "raw")
    assert out.rows("inter") == raw_rows(tmp_path / "raw" / "u.data", "\t")
    assert out.rows("user") == raw_rows(tmp_path / "raw" / "u.user", "|")
    assert out.header("item")[-1] == "class:token_seq"  # as in RecBole's own ml-100k
    lines = (tmp_path / "raw" / "u.item").read_text("latin-1").splitlines()
    names = [
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
        "Film-Noir",
        "Horror",
        "Musical",
        "Mystery",
        "Romance",
        "Sci-Fi",
        "Thriller",
        "War",
        "Western",
    ]
    assert len(lines) == len(out.rows("item"))
    for line, row in zip(lines, out.rows("item")):
        cells = line.split("|")
        genres = [name for name, flag in zip(names, cells[5:]) if flag == "1"]
        title, year = ("unknown", "") if row[0] == "30" else (f"Café No {row[0]}", "1995")
        assert row == [cells[0], title, year, " ".join(genres)]
    assert out.rows("item")[-1] == ["30", "unknown", "", "unknown"]


@pytest.mark.parametrize("packed", [False, True])
def test_ml_10m_layout(run, tmp_path, block_size, packed):
    raw = tmp_path / "ml-10M100K"
    raw_layouts.write_ml_10m(raw, seed=2)
    source = Path(shutil.make_archive(str(tmp_path / "ml-10m"), "zip", tmp_path)) if packed else raw
    out = run("movielens", source)
    ratings = raw_rows(raw / "ratings.dat", "::")
    assert {"0.5", "3.5", "5"} <= {row[2] for row in ratings}
    assert [[u, i, float(r), t] for u, i, r, t in out.rows("inter")] == [
        [u, i, float(r), t] for u, i, r, t in ratings
    ]
    assert not (out.folder / "out.user").exists()
    assert out.rows("item")[:5] == [
        ["1", "Shanghai Triad (Yao a yao yao dao waipo qiao)", "1995", "Drama"],
        ["2", "Pull My Daisy", "1958", ""],
        ["3", "Cité des enfants perdus, La", "1995", "Film-Noir IMAX"],
        ["4", "Babylon, 5", "", "Sci-Fi"],
        ["5", "Heat", "1995", "Action Crime Thriller"],
    ]
    assert out.report["layout"] == "ml-10m"
    assert out.report["positives"] == sum(float(row[2]) >= 4 for row in ratings)


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(("links.csv", "tags.csv"), id="latest-small and 32m"),
        pytest.param(("genome-scores.csv", "genome-tags.csv", "tags.csv"), id="20m and 25m"),
    ],
)
def test_files_beside_those_of_a_csv_release_do_not_matter(run, tmp_path, others):
    raw_layouts.write_ml_csv(tmp_path / "raw")
    alone = run("movielens", tmp_path / "raw", name="alone")
    for name in others:
        (tmp_path / "raw" / name).write_bytes(b"\xff not read")
    archive = shutil.make_archive(str(tmp_path / "ml"), "zip", tmp_path, "raw")
    assert run("movielens", Path(archive)).rows("inter") == alone.rows("inter")


def test_ml_csv_layout(run, tmp_path):
    raw_layouts.write_ml_csv(tmp_path / "raw", seed=2)
    out = run("movielens", tmp_path / "raw")
    raw = raw_rows(tmp_path / "raw" / "ratings.csv", header=True)
    assert [[u, i, float(r), t] for u, i, r, t in out.rows("inter")] == [
        [u, i, float(r), t] for u, i, r, t in raw
    ]
    assert not (out.folder / "out.user").exists()
    assert out.rows("item")[:6] == [
        ["1", '"Great Performances" Cats', "1998", "Musical"],
        ["2", "Fawlty Towers", "1975", "Comedy"],
        ["3", "Babylon 5", "", ""],
        ["4", "Amélie – 天使", "2001", "Comedy IMAX"],
        ["5", "None ", "2010", "Sci-Fi"],  # the space: else RecBole reads a missing title
        ["6", "American President, The", "1995", "Comedy Drama Romance"],
    ]


def test_genre_with_a_space_stays_one_token(run, ml_1m_raw):
    (ml_1m_raw / "movies.dat").write_text("1::Heat (1995)::Film Noir|Drama\n", "latin-1")
    assert run("movielens", ml_1m_raw).rows("item")[0][3] == "Film_Noir Drama"


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


@pytest.mark.skipif(not ML_1M.exists(), reason=f"{ML_1M} (MovieLens-1M) is not here")
def test_real_ml_1m_equals_the_raw_files(run, tmp_path):
    import zipfile

    with zipfile.ZipFile(ML_1M) as archive:
        raw = {
            name: [
                line.split("::")
                for line in archive.read(f"ml-1m/{name}.dat").decode("latin-1").splitlines()
            ]
            for name in ("ratings", "users", "movies")
        }
    out = run("movielens", ML_1M, name="ml-1m")
    assert out.rows("inter") == raw["ratings"]
    assert len(raw["ratings"]) == 1_000_209
    assert out.rows("user") == [[u, a, g, o, z] for u, g, a, o, z in raw["users"]]
    assert len(raw["users"]) == 6_040
    assert len(raw["movies"]) == len(out.rows("item")) == 3_883
    for (number, title, genres), row in zip(raw["movies"], out.rows("item")):
        assert row[0] == number
        words, year = title[:-6], title[-6:]  # every title of ml-1m ends in "(year)"
        assert [row[1], f"({row[2]})"] == [" ".join(words.split()), year]
        assert row[3].split(" ") == genres.split("|")
    assert out.report["items_by_group"] == {"old": 1420, "new": 961, "too_few": 1325}


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
