"""A small data set with old, new and rare items, and runs that leave nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset, SetLoader
from recbole_mwuf.registry import get_base
from recbole_mwuf.trainer import BaseTrainer, seed_stage

ROOT = Path(__file__).resolve().parents[1]
# what a wheel is built from
SOURCES = ["recbole_mwuf", "dataset_converters", "properties", "setup.py", "pyproject.toml"]
SOURCES += ["README.md"]
ML_1M = ROOT.parent / "shared" / "data" / "ml-1m.zip"
N_USERS = 30
# item -> rows: N = 20 and K = 3 make 1 to 4 old, 5 to 9 new, and leave 10 and 11 out
ROWS_OF_ITEM = {1: 60, 2: 50, 3: 40, 4: 21, 5: 20, 6: 18, 7: 15, 8: 12, 9: 10, 10: 9, 11: 4}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """RecBole writes log/, saved/ and log_tensorboard/ where it stands."""
    monkeypatch.chdir(tmp_path)


def tiny_interactions() -> pd.DataFrame:
    """Rows in a random order; the label follows user and item, with noise."""
    rng = np.random.default_rng(7)
    item = np.repeat(list(ROWS_OF_ITEM), list(ROWS_OF_ITEM.values()))
    user = rng.integers(1, N_USERS + 1, len(item))
    liking = np.sin(user) + np.cos(2.0 * item) + rng.normal(0, 0.5, len(item))
    frame = pd.DataFrame(
        {
            "user_id:token": user,
            "item_id:token": item,
            "label:float": (liking > 0).astype(int),
            "timestamp:float": rng.integers(10**9, 10**9 + 300, len(item)),
        }
    )
    return frame.sample(frac=1, random_state=1)


def write_tiny(folder: Path, interactions: pd.DataFrame | None = None) -> None:
    """Write the data set ``tiny`` as atomic files."""
    target = folder / "tiny"
    target.mkdir()
    inter = tiny_interactions() if interactions is None else interactions
    users = range(1, N_USERS + 1)
    items = list(ROWS_OF_ITEM)
    tables = {
        "inter": inter,
        "user": pd.DataFrame({"user_id:token": users, "age:token": [u % 4 for u in users]}),
        "item": pd.DataFrame(
            {
                "item_id:token": items,
                "category:token": [f"c{i % 3}" for i in items],
                "tags:token_seq": [" ".join(f"t{j}" for j in range(i % 3 + 1)) for i in items],
            }
        ),
    }
    for suffix, table in tables.items():
        table.to_csv(target / f"tiny.{suffix}", sep="\t", index=False)


TINY = {
    "old_item_threshold": 20,
    "phase_size": 3,
    "train_batch_size": 16,
    "show_progress": False,
    "state": "ERROR",
    "load_col": {
        "inter": ["user_id", "item_id", "label", "timestamp"],
        "user": ["user_id", "age"],
        "item": ["item_id", "category", "tags"],
    },
}


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_tiny(folder)
    return folder


@pytest.fixture
def settings(tiny_path) -> dict:
    """Settings of a run on the small data set."""
    return {**TINY, "data_path": str(tiny_path)}


@pytest.fixture
def make(settings):
    """Builds (config, data) for a model and base on the small data set."""

    def build(model="MWUF", base="WideDeep", **changes):
        config = Config(model, "tiny", config_dict={**settings, **changes}, base=base)
        seed_stage(config)
        return config, ColdStartDataset(config)

    return build


@pytest.fixture
def trained(make):
    """Builds (config, data, pre-trained base)."""

    def build(model="MWUF", base="WideDeep", **changes):
        config, data = make(model, base, **changes)
        module = get_base(config["base"])(config, data)
        loader = SetLoader(data, "old", 16, order="shuffled", seed=1)
        BaseTrainer(config, module).fit(loader)
        return config, data, module

    return build


@pytest.fixture(scope="session")
def ml_1m_zip() -> Path:
    if not ML_1M.is_file():
        pytest.skip("needs MovieLens-1M at ../shared/data/ml-1m.zip, which is not redistributed")
    return ML_1M


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """The content of the wheel, built from a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "."]
    subprocess.run([*command, "-w", "wheel"], cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "wheel").glob("*.whl")
    target = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(target)
    return target
