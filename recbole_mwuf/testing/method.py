"""The tests of a warm-up method."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from recbole_mwuf.data import PHASES
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import get_method, settings_of
from recbole_mwuf.testing.common import Course, moves_base
from recbole_mwuf.testing.data import NAME
from recbole_mwuf.testing.phases import PhasesConformance
from recbole_mwuf.testing.rehearsal import Rehearsal
from recbole_mwuf.testing.settings import SettingsConformance

_WITH_BATCH_NORM = "DCN"


class MethodConformance(PhasesConformance, SettingsConformance):
    """What a warm-up method promises; subclass it in a test module.

    The method must be known by its name, by :func:`recbole_mwuf.register_method` or an entry point.

    Attributes:
        method: What is proved.
        base: The base that it is proved on: a name or a class.
        settings: Settings of all runs that differ from the defaults.

    Examples:
        >>> from recbole_mwuf.model.warm_up.mwuf import MWUF
        >>> class TestScaling(MethodConformance):
        ...     method = MWUF
        ...     base = "DIN"
        ...     settings = {"mwuf_variant": "scale"}
    """

    method: type[WarmUpMethod]

    @property
    def model(self) -> str:
        return self._model_on(self.base_name)

    def _model_on(self, base: str) -> str:
        """A plain base has no method's name."""
        return base if self.method is NoWarmUp else self.method.__name__

    def test_is_known_by_its_name(self) -> None:
        assert get_method(self.model) is self.method, (
            f"--model={self.model} is another class: is it decorated with @register_method?"
        )

    def test_declares_what_it_has(self, course: Course) -> None:
        """Names in `learns` are modules of the method, those in `assigns` modules or buffers."""
        model = course.rehearsal.model
        for stage in Stage:
            for name in model.learns_at(stage):
                part = getattr(model, name, "nothing")
                assert part is None or isinstance(part, torch.nn.Module), (
                    f"`learns` names '{name}' at {stage.name}, which is no module of the method"
                )
        for name in model.assigns:
            part = getattr(model, name, None)
            assert isinstance(part, (torch.nn.Module, torch.Tensor)), f"`assigns` names '{name}'"

    def test_what_is_declared_learns(self, course: Course) -> None:
        """A module in `learns` moves where there are samples: else it gets no gradient."""
        model = course.rehearsal.model
        for step in course.rehearsal.steps:
            if step.stage is None or not step.items:
                continue
            learning = {
                name
                for name in model.learns_at(step.stage)
                if getattr(model, name) is not None and list(getattr(model, name).parameters())
            }
            assert learning <= step.parts, (
                f"{step.name}: {sorted(learning - step.parts)} did not move, as `learns` says"
            )

    def test_meta_training_has_epochs(self, course: Course) -> None:
        model = course.rehearsal.model
        if not model.has_meta_training:
            pytest.skip("the method has no meta-training")
        assert "meta_epochs" in settings_of(self.model), (
            "a method that meta-trains declares `meta_epochs`, so that a user can set it"
        )
        step = next(s for s in course.rehearsal.steps if s.stage is Stage.META_TRAIN)
        assert step.items, "no sample was learned from in meta-training"

    def test_batch_norm_statistics_stay(self, given: dict[str, Any]) -> None:
        """A fixed base stays in evaluation mode, whatever the method does."""
        model = self._model_on(_WITH_BATCH_NORM)
        rehearsal = Rehearsal(model, _WITH_BATCH_NORM, given)
        if moves_base(rehearsal.model):
            pytest.skip("the method declares that the base goes on learning")
        assert any(isinstance(m, torch.nn.BatchNorm1d) for m in rehearsal.base.modules())
        for _ in rehearsal.phases():
            pass
        for step in rehearsal.steps:
            assert "base" not in step.parts, f"{step.name}: {sorted(step.moved)} moved"

    @pytest.mark.slow
    def test_two_processes_give_the_same_figures(self, given: dict[str, Any]) -> None:
        """Up to rounding; each sample belongs to one of them."""
        one, two = (
            run(self.model, self.base_name, NAME, config_dict={**given, "nproc": n}, saved=False)
            for n in (1, 2)
        )
        for phase in PHASES:
            for protocol, metrics in one.phases[phase].items():
                found = two.phases[phase][protocol]
                assert found == pytest.approx(metrics, abs=1e-4), (phase, protocol)
