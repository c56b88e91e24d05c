"""Small raw data sets, and a way to run a conversion and read what it wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dataset_converters import Options, convert, sources
from tests.dataset_converters import raw_layouts
from tests.dataset_converters.converted import Converted

SMALL = {
    "taobao": {"rows": 900, "ads": 60, "profiles": 50, "users_without_profile": 5, "copies": 7},
    "cikm2019": {"rows": 900, "items": 60, "users": 50, "without_features": 3, "copies": 7},
}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Converted]:
    """Convert ``source``, give back what was written."""

    def convert_to(converter: str, *sources: Path, name: str = "out", **options) -> Converted:
        convert(Options(converter, list(sources), tmp_path / name, **options))
        return Converted(tmp_path / name)

    return convert_to


@pytest.fixture
def taobao_raw(tmp_path: Path) -> Path:
    """A small Taobao download, unpacked."""
    raw_layouts.write_taobao(tmp_path / "taobao-raw", seed=1, **SMALL["taobao"])
    return tmp_path / "taobao-raw"


@pytest.fixture
def cikm_raw(tmp_path: Path) -> Path:
    """A small CIKM2019 round, unpacked."""
    raw_layouts.write_cikm2019(tmp_path / "cikm-raw", seed=1, **SMALL["cikm2019"])
    return tmp_path / "cikm-raw"


@pytest.fixture
def ml_1m_raw(tmp_path: Path) -> Path:
    """A small MovieLens in the layout of ml-1m, unpacked."""
    raw_layouts.write_ml_1m(tmp_path / "ml-1m-raw", seed=1)
    return tmp_path / "ml-1m-raw"


@pytest.fixture(params=[None, 40], ids=["one block", "many blocks"])
def block_size(request, monkeypatch):
    """Files in one block, and in blocks of a line or two."""
    if request.param:
        monkeypatch.setattr(sources, "BLOCK_BYTES", request.param)
