"""Time and peak memory of the converters at the data sets' real size, beside plain pandas.

    python benchmarks/converters.py --folder /tmp/raw [--scale 1.0] [--only taobao cikm2019]

The raw files are generated into ``--folder`` (about 1.2 GB for Taobao, 2.3 GB for CIKM2019) unless
they are there already. Every conversion runs in a process of its own; the two outputs of a data set
must be equal byte for byte. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.dataset_converters import raw_layouts  # noqa: E402

PROFILE = [
    "user_id", "cms_segid", "cms_group_id", "final_gender_code", "age_level", "pvalue_level",
    "shopping_level", "occupation", "new_user_class_level",
]  # fmt: skip
AD = ["item_id", "cate_id", "campaign_id", "customer", "brand", "price"]


def plain_taobao(source: Path, target: Path, minimum: int) -> None:
    """What one would write by hand: read all, filter, write."""
    inter = pd.read_csv(source / "raw_sample.csv")
    report_copies(inter)
    inter = inter.rename(columns={"user": "user_id", "time_stamp": "timestamp", "clk": "label"})
    inter = inter.rename(columns={"adgroup_id": "item_id"})
    inter = enough(inter, minimum)
    users = pd.read_csv(source / "user_profile.csv", dtype=str, names=PROFILE, header=0)
    items = pd.read_csv(source / "ad_feature.csv", dtype=str, names=AD, header=0)
    write(target, inter, users, items, floats={"price"})


def plain_cikm2019(source: Path, target: Path, minimum: int) -> None:
    """The same for CIKM2019, one label per row."""
    names = ["user_id", "item_id", "behavior", "timestamp"]
    inter = pd.read_csv(source / "user_behavior.csv", names=names)
    report_copies(inter)
    inter["label"] = (inter["behavior"] == "buy").astype(int)
    inter = enough(inter, minimum)
    users = pd.read_csv(
        source / "user.csv", dtype=str, names=["user_id", "gender", "age", "purchasing_power"]
    )
    items = pd.read_csv(
        source / "item.csv", dtype=str, names=["item_id", "category", "shop", "brand"]
    )
    write(target, inter, users, items, floats=set())


PLAIN = {"taobao": plain_taobao, "cikm2019": plain_cikm2019}


def report_copies(inter: pd.DataFrame) -> None:
    """Count exact copies, as the converter's report does."""
    print(f"{inter.duplicated().sum():,} exact copies")


def enough(inter: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """Interactions of items that have at least ``minimum`` of them."""
    counts = inter["item_id"].value_counts()
    return inter[inter["item_id"].isin(counts.index[counts >= minimum])]


def write(
    target: Path, inter: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame, floats: set[str]
) -> None:
    """Write the three atomic files, features of the ids that occur only."""
    target.mkdir(parents=True)
    users, items = (
        every_id(features, key, inter[key])
        for features, key in ((users, "user_id"), (items, "item_id"))
    )
    inter = inter[["user_id", "item_id", "label", "timestamp"]]
    for suffix, table, numbers in (
        ("inter", inter, {"label", "timestamp"}),
        ("user", users, set()),
        ("item", items, floats),
    ):
        header = [f"{c}:{'float' if c in numbers else 'token'}" for c in table.columns]
        path = target / f"{target.name}.{suffix}"
        table.to_csv(path, sep="\t", index=False, header=header)


def every_id(features: pd.DataFrame, key: str, ids: pd.Series) -> pd.DataFrame:
    """The features of the ids that occur, and a row of unknowns for those that have none."""
    features = features[features[key].astype(int).isin(ids)]
    unknown = np.setdiff1d(ids, features[key].astype(int))
    return pd.concat([features, pd.DataFrame({key: unknown})])


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command; returns seconds and peak memory in GB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 2**20


def main() -> None:
    """Generate, convert both ways, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the interactions")
    parser.add_argument("--only", nargs="+", choices=list(PLAIN), default=list(PLAIN))
    parser.add_argument("--plain", nargs=4, metavar=("NAME", "INPUT", "OUTPUT", "MINIMUM"))
    arguments = parser.parse_args()
    if arguments.plain:
        name, source, target, minimum = arguments.plain
        return PLAIN[name](Path(source), Path(target), int(minimum))
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, pandas {pd.__version__}, "
        f"polars {pl.__version__}, {os.cpu_count()} cores\n\n"
        "| data set | interactions | converter | | plain pandas | |\n|---|---|---|---|---|---|"
    )
    for name in arguments.only:
        print(row(name, arguments.folder, arguments.scale), flush=True)
    return None


def row(name: str, folder: Path, scale: float) -> str:
    """One row of the table."""
    raw = folder / f"{name}-{scale:g}"
    writer, n_rows, minimum = {
        "taobao": (raw_layouts.write_taobao, 26_557_961, 1501),
        "cikm2019": (raw_layouts.write_cikm2019, 80_000_000, 151),
    }[name]
    n_rows = int(n_rows * scale)
    if not raw.exists():
        writer(raw, rows=n_rows)
    ours, plain = folder / "converter" / name, folder / "plain" / name
    for target in (ours, plain):
        shutil.rmtree(target, ignore_errors=True)
    options = ["--input", str(raw), "--output", str(ours), "--min_item_count", str(minimum)]
    seconds, memory = measure([sys.executable, "-m", "dataset_converters", name, *options])
    plain_options = ["--folder", str(folder), "--plain", name, str(raw), str(plain), str(minimum)]
    plain_seconds, plain_memory = measure([sys.executable, __file__, *plain_options])
    for suffix in ("inter", "user", "item"):
        file = f"{name}.{suffix}"
        if not filecmp.cmp(ours / file, plain / file, shallow=False):
            sys.exit(f"{ours / file} and {plain / file} differ")
    return (
        f"| {name} | {n_rows:,} | {seconds:.0f} s | {memory:.1f} GB "
        f"| {plain_seconds:.0f} s | {plain_memory:.1f} GB |"
    )


if __name__ == "__main__":
    main()
