"""Seeded files in the published layouts, quirks included, at any size.

Nothing here is real data: ids, features and interactions are random, with item popularity that
falls like a power law. Used by the tests (small) and by ``benchmarks/converters.py`` (full size).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

ROWS_AT_A_TIME = 2_000_000
TAOBAO_FIRST_SECOND, TAOBAO_SECONDS = 1_494_000_000, 8 * 86_400
CIKM_SECONDS = 16 * 86_400


def make_folder(folder: Path) -> None:
    """A folder for made-up files, marked as such: the mark follows them into every report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "GENERATED").touch()


def popular(rng: np.random.Generator, n: int, n_items: int, skew: float) -> np.ndarray:
    """n draws of 0 .. n_items - 1, low numbers far more often."""
    return (n_items * rng.random(n) ** skew).astype(np.int64)


def chunks(n_rows: int) -> Iterator[int]:
    """n_rows in portions."""
    for start in range(0, n_rows, ROWS_AT_A_TIME):
        yield min(ROWS_AT_A_TIME, n_rows - start)


def blank(rng: np.random.Generator, values: np.ndarray, share: float) -> pl.Series:
    """The values with a share of them unknown."""
    return pl.DataFrame({"v": values, "gone": rng.random(values.size) < share}).select(
        pl.when(~pl.col("gone")).then("v")
    )["v"]


def write_taobao(
    folder: Path,
    *,
    rows: int = 26_557_961,
    ads: int = 846_811,
    profiles: int = 1_061_768,
    users_without_profile: int = 79_961,
    copies: int = 100,
    seed: int = 0,
) -> None:
    """raw_sample.csv, ad_feature.csv and user_profile.csv.

    Quirks: users without a profile, a trailing blank in the profile's header, blank pvalue_level
    and new_user_class_level, brand NULL, rows not in time order, a few exact copies of rows.
    """
    rng = np.random.default_rng(seed)
    make_folder(folder)
    users = rng.permutation(profiles + users_without_profile) + 1
    ad_ids = rng.permutation(ads) + 1
    with open(folder / "raw_sample.csv", "wb") as file:
        file.write(b"user,time_stamp,adgroup_id,pid,nonclk,clk\n")
        for n in chunks(rows - copies):
            clicked = (rng.random(n) < 0.0514).astype(np.int8)
            part = pl.DataFrame(
                {
                    "user": users[popular(rng, n, users.size, 1.5)],
                    "time_stamp": TAOBAO_FIRST_SECOND + rng.integers(0, TAOBAO_SECONDS, n),
                    "adgroup_id": ad_ids[popular(rng, n, ads, 4)],
                    "pid": pl.Series(["430548_1007", "430539_1007"]).gather(rng.integers(0, 2, n)),
                    "nonclk": 1 - clicked,
                    "clk": clicked,
                }
            )
            part.write_csv(file, include_header=False)
        part[:copies].write_csv(file, include_header=False)
    brand = blank(rng, rng.integers(1, 460_000, ads), 0.29).cast(pl.String).fill_null("NULL")
    pl.DataFrame(
        {
            "adgroup_id": ad_ids,
            "cate_id": rng.integers(1, 12_961, ads),
            "campaign_id": rng.integers(1, 423_436, ads),
            "customer": rng.integers(1, 255_875, ads),
            "brand": brand,
            "price": (np.exp(rng.normal(5, 2, ads)) * 10).round() / 10,
        }
    ).write_csv(folder / "ad_feature.csv")
    n = profiles
    pl.DataFrame(
        {
            "userid": rng.permutation(users)[:profiles],
            "cms_segid": rng.integers(0, 97, n),
            "cms_group_id": rng.integers(0, 13, n),
            "final_gender_code": rng.integers(1, 3, n),
            "age_level": rng.integers(0, 7, n),
            "pvalue_level": blank(rng, rng.integers(1, 4, n), 0.54),
            "shopping_level": rng.integers(1, 4, n),
            "occupation": rng.integers(0, 2, n),
            "new_user_class_level ": blank(rng, rng.integers(1, 5, n), 0.325),
        }
    ).write_csv(folder / "user_profile.csv")


def write_cikm2019(
    folder: Path,
    *,
    rows: int = 80_000_000,
    items: int = 4_300_000,
    users: int = 1_400_000,
    without_features: int = 500,
    copies: int = 1000,
    seed: int = 0,
) -> None:
    """user.csv, item.csv and user_behavior.csv of one round, none with a header.

    Quirks: users and items without a feature row, rows not in time order, a user buying the same
    item twice, exact copies of rows.
    """
    rng = np.random.default_rng(seed)
    make_folder(folder)
    item_ids, user_ids = rng.permutation(items) + 1, rng.permutation(users) + 1
    behaviors = pl.Series(["pv", "buy", "cart", "fav"])
    with open(folder / "user_behavior.csv", "wb") as file:
        for n in chunks(rows - copies):
            part = pl.DataFrame(
                {
                    "user": user_ids[popular(rng, n, users, 1.5)],
                    "item": item_ids[popular(rng, n, items, 3)],
                    "behavior": behaviors.gather(rng.choice(4, n, p=[0.9, 0.02, 0.05, 0.03])),
                    "time": rng.integers(0, CIKM_SECONDS, n),
                }
            )
            part.write_csv(file, include_header=False)
        part[:copies].write_csv(file, include_header=False)
    n = users - without_features
    pl.DataFrame(
        {
            "user": rng.permutation(user_ids)[:n],
            "gender": rng.integers(0, 3, n),
            "age": rng.integers(10, 80, n),
            "power": rng.integers(1, 10, n),
        }
    ).write_csv(folder / "user.csv", include_header=False)
    n = items - without_features
    pl.DataFrame(
        {
            "item": rng.permutation(item_ids)[:n],
            "category": rng.integers(1, 11_000, n),
            "shop": rng.integers(1, 900_000, n),
            "brand": rng.integers(0, 300_000, n),
        }
    ).write_csv(folder / "item.csv", include_header=False)


def write_ml_1m(folder: Path, *, rows: int = 600, seed: int = 0) -> None:
    """ratings.dat, users.dat and movies.dat: latin-1 titles, articles at the end, an odd zip."""
    rng = np.random.default_rng(seed)
    make_folder(folder)
    write_lines(
        folder / "ratings.dat",
        (f"{u}::{i}::{r}::{t}" for u, i, r, t in random_ratings(rng, rows, 1, 6)),
    )
    write_lines(
        folder / "users.dat",
        (f"{u}::{'MF'[u % 2]}::{25 + u % 3}::{u % 21}::{48067 + u}" for u in range(1, 40)),
    )
    titles = ["Heat (1995)", "Misérables, Les (1995)", "Alien³ (1992)", "Metisse (Café) (1993)"]
    write_lines(
        folder / "movies.dat",
        (f"{i}::{titles[i % 4]}::Drama|Children's|Film-Noir" for i in range(1, 31)),
        "latin-1",
    )


def write_ml_100k(folder: Path, *, rows: int = 600, seed: int = 0) -> None:
    """u.data, u.user and u.item: 19 genre flags, a film without date, letters in zip codes."""
    rng = np.random.default_rng(seed)
    make_folder(folder)
    write_lines(
        folder / "u.data",
        (f"{u}\t{i}\t{r}\t{t}" for u, i, r, t in random_ratings(rng, rows, 1, 6)),
    )
    write_lines(
        folder / "u.user",
        (f"{u}|{20 + u}|{'MF'[u % 2]}|technician|T8H1{u % 10}" for u in range(1, 40)),
    )

    def film(i: int) -> str:
        flags = "|".join(str(int(rng.random() < 0.2)) for _ in range(19))
        if i == 30:
            return f"{i}|unknown||||1|{'|'.join('0' * 18)}"
        return f"{i}|Café No {i} (1995)|01-Jan-1995||http://us.imdb.com/M/?{i}|{flags}"

    write_lines(folder / "u.item", map(film, range(1, 31)), "latin-1")


def write_ml_10m(folder: Path, *, rows: int = 600, seed: int = 0) -> None:
    """ratings.dat, movies.dat, tags.dat: half stars (whole ones without .0), UTF-8, no users."""
    rng = np.random.default_rng(seed)
    make_folder(folder)
    ratings = (f"{u}::{i}::{r / 2:g}::{t}" for u, i, r, t in random_ratings(rng, rows, 1, 11))
    write_lines(folder / "ratings.dat", ratings)
    titles = [
        "Heat (1995)::Action|Crime|Thriller",
        "Shanghai Triad (Yao a yao yao dao waipo qiao) (1995)::Drama",
        "Pull My Daisy (1958)::(no genres listed)",
        "Cité des enfants perdus, La (1995)::Film-Noir|IMAX",
        "Babylon, 5::Sci-Fi",
    ]
    write_lines(folder / "movies.dat", (f"{i}::{titles[i % len(titles)]}" for i in range(1, 31)))
    write_lines(folder / "tags.dat", ("15::4973::excellent!::1215184630",))


def write_ml_csv(folder: Path, *, rows: int = 600, seed: int = 0) -> None:
    """ratings.csv and movies.csv: half stars, quoted titles, series, no genres, no year."""
    rng = np.random.default_rng(seed)
    make_folder(folder)
    ratings = (f"{u},{i},{r / 2},{t}" for u, i, r, t in random_ratings(rng, rows, 1, 11))
    write_lines(folder / "ratings.csv", ("userId,movieId,rating,timestamp", *ratings))
    titles = [
        '"American President, The (1995)",Comedy|Drama|Romance',
        '"""Great Performances"" Cats (1998)",Musical',
        "Fawlty Towers (1975-1979),Comedy",
        "Babylon 5,(no genres listed)",
        "Amélie – 天使 (2001) ,Comedy|IMAX",
        "None (2010),Sci-Fi",
    ]
    films = (f"{i},{titles[i % len(titles)]}" for i in range(1, 31))
    write_lines(folder / "movies.csv", ("movieId,title,genres", *films))


def random_ratings(
    rng: np.random.Generator, rows: int, low: int, high: int
) -> Iterator[tuple[int, int, int, int]]:
    """User, item, rating, time."""
    for _ in range(rows):
        item = int(popular(rng, 1, 30, 2)[0]) + 1
        user, rating = int(rng.integers(1, 40)), int(rng.integers(low, high))
        yield user, item, rating, int(rng.integers(900_000_000, 1_000_000_000))


def write_lines(
    path: Path, lines: Iterator[str] | tuple[str, ...], encoding: str = "utf-8"
) -> None:
    """Write the lines, each with a newline."""
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
