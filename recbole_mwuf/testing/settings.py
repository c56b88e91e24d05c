"""What holds of the names and settings of every method and base."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from recbole_mwuf.config import Config
from recbole_mwuf.errors import UserError
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import settings_of
from recbole_mwuf.testing.common import Conformance, Course, check_finite
from recbole_mwuf.testing.data import NAME
from recbole_mwuf.testing.rehearsal import Rehearsal, Watched

_PLAIN = "WideDeep"


class SettingsConformance(Conformance):
    """A run by name; settings and a search space that are declared."""

    def test_runs_by_its_name(self, given: dict[str, Any]) -> None:
        """From the name to a result: every phase has finite metrics."""
        check_finite(run(self.model, self.base_name, NAME, config_dict=given, saved=False))

    def test_settings_have_defaults_and_refuse_other_values(self, given: dict[str, Any]) -> None:
        """Every declared setting: its default fits its kind, another value is refused by name."""
        for name, setting in settings_of(self.model).items():
            setting.check(name, setting.default)
            assert setting.help, f"setting {name} does not say what it means"
            wrong = "no value" if setting.kind.startswith("dict") else {"no": "value"}
            with pytest.raises(UserError, match=name):
                Config(self.model, NAME, config_dict={**given, name: wrong}, base=self.base_name)

    def test_all_settings_are_declared(self, given: dict[str, Any]) -> None:
        """A setting that is read but not declared is always None, whatever a user calls it."""
        common = {name: value for name, value in given.items() if name not in self.settings}
        read = _read_settings(self.model, self.base_name, given)
        # what the package reads of every run
        read -= _read_settings(_PLAIN, _PLAIN, common)
        known = Config(self.model, NAME, config_dict=given, base=self.base_name).final_config_dict
        assert read <= set(known), f"not declared in `settings`: {sorted(read - set(known))}"

    def test_the_search_space_names_settings(self, course: Course, given: dict[str, Any]) -> None:
        """What a tuner would try are values that known settings take."""
        text = course.rehearsal.model.search_space_text()
        if text is None:
            pytest.skip("no search space is declared")
        known = set(course.rehearsal.config.final_config_dict)
        for name, values in _searched(text):
            assert name in known, f"the search space names no setting: {name}"
            for value in values:
                Config(self.model, NAME, config_dict={**given, name: value}, base=self.base_name)


def _read_settings(model: str, base: str, given: dict[str, Any]) -> set[str]:
    """Names of the settings that are read in all phases."""
    rehearsal = Rehearsal(model, base, given, watch=Watched)
    for _ in rehearsal.phases():
        pass
    return rehearsal.config.read


def _searched(text: str) -> Iterator[tuple[str, Iterable]]:
    """Setting -> values, or the ends of a range, of a search space in RecBole's format."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, kind, values = line.split(maxsplit=2)
            found = ast.literal_eval(values)
            if kind == "loguniform":
                found = map(math.exp, found)
            yield name, found[:2] if kind == "quniform" else found
