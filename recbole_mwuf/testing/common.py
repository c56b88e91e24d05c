"""What the tests of the kit share: a data set, settings, and a run that all of them look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from torch import Tensor

from recbole_mwuf.evaluator.result import RunResult
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.testing.data import TINY, write_tiny
from recbole_mwuf.testing.rehearsal import Rehearsal

FLOAT_ERROR = 2e-6  # scores are probabilities in float32


class Course(NamedTuple):
    """A rehearsal that has gone through all phases.

    Attributes:
        rehearsal: As it stands after warm-c.
        scores: Phase -> scores of all rows after it.
        cold: Checkpoint before the first interaction of a new item.
        warm: Checkpoint after warm-c.
    """

    rehearsal: Rehearsal
    scores: dict[str, Tensor]
    cold: Path
    warm: Path


class Conformance:
    """A model that is proved on the tiny data set.

    Attributes:
        base: The base that it works on: a name or a class.
        settings: Settings of all runs that differ from the defaults.
    """

    base: str | type = "WideDeep"
    settings: Mapping[str, Any] = {}

    @property
    def base_name(self) -> str:
        """As ``--base`` takes it."""
        return self.base if isinstance(self.base, str) else self.base.__name__

    @property
    def model(self) -> str:
        """Name of what is proved, as ``--model`` takes it."""
        return self.base_name

    _folder: Path
    _course: Course

    @pytest.fixture(autouse=True)
    def folder(
        self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> Path:
        """Where the data set is and what runs write; the tests of a class share it."""
        cls = type(self)
        if "_folder" not in vars(cls):
            cls._folder = tmp_path_factory.mktemp("conformance")
            write_tiny(cls._folder)
        monkeypatch.chdir(cls._folder)
        return cls._folder

    @pytest.fixture
    def given(self, folder: Path) -> dict[str, Any]:
        """The settings of a run."""
        more = {"data_path": str(folder), "checkpoint_dir": str(folder / "saved")}
        return {**TINY, **more, **self.settings}

    @pytest.fixture
    def course(self, folder: Path, given: dict[str, Any]) -> Course:
        """All phases, once for all tests of a class."""
        cls = type(self)
        if "_course" not in vars(cls):
            cls._course = self._take(folder, given)
        return cls._course

    def _take(self, folder: Path, given: dict[str, Any]) -> Course:
        rehearsal = Rehearsal(self.model, self.base_name, given)
        files = {"cold": folder / "cold.pth", "warm_c": folder / "warm.pth"}
        scores = {}
        for phase in rehearsal.phases():
            scores[phase] = rehearsal.scores(phase)
            if phase in files:
                rehearsal.trainer.save_model(files[phase], rehearsal.data)
        return Course(rehearsal, scores, *files.values())


def moves_base(model: WarmUpMethod) -> bool:
    """Whether a method declares that the base goes on learning after step 1."""
    return any("base" in model.learns_at(stage) for stage in Stage)


def check_finite(result: RunResult) -> None:
    """Every phase has metrics that are numbers."""
    for phase, protocols in result.phases.items():
        for protocol, metrics in protocols.items():
            for name, value in metrics.items():
                assert value is not None and math.isfinite(value), (phase, protocol, name, value)
