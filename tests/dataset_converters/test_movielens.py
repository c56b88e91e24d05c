"""MovieLens' releases: every value written equals the raw files'."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.dataset_converters import raw_layouts
from tests.dataset_converters.converted import raw_rows

ML_1M = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ml-1m.zip"


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
