"""A small data set with old, new and rare items, and runs that leave nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset, SetLoader
from recbole_mwuf.registry import get_base
from recbole_mwuf.testing.data import (  # noqa: F401  (its home; tests ask for it here)
    N_USERS,
    ROWS_OF_ITEM,
    TINY,
    tiny_interactions,
    write_tiny,
)
from recbole_mwuf.trainer import BaseTrainer, seed_stage

ROOT = Path(__file__).resolve().parents[1]
# what a wheel is built from
SOURCES = ["recbole_mwuf", "dataset_converters", "properties", "setup.py", "pyproject.toml"]
SOURCES += ["README.md"]
ML_1M = ROOT.parent / "shared" / "data" / "ml-1m.zip"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """RecBole writes log/, saved/ and log_tensorboard/ where it stands."""
    monkeypatch.chdir(tmp_path)


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
