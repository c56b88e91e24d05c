"""What a benchmark consists of: sections of the report, their rows, and a run per row and seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from recbole_mwuf.config import Config
from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.keys import base_key, row_key, run_key, settings_key
from recbole_mwuf.files import plain_values
from recbole_mwuf.registry import is_warm_up_method
from recbole_mwuf.settings import read_properties


@dataclass(frozen=True)
class Row:
    """A model with settings, to be run with several seeds.

    Attributes:
        label: Its name in tables and figures.
        panel: The panel of a figure that it belongs to; empty if there is only one.
        given: Settings that differ from the defaults.
        resolved: All settings as a result file holds them.
    """

    label: str
    panel: str
    given: dict = field(repr=False)
    resolved: dict = field(repr=False)

    @property
    def model(self) -> str:
        return self.resolved["model"]

    @property
    def base(self) -> str:
        return self.resolved["base"]

    @property
    def key(self) -> str:
        """Same key, same numbers for the same seed."""
        return row_key(self.resolved)


@dataclass(frozen=True)
class Choice:
    """What a row's trials found.

    Attributes:
        params: The best configuration; empty for the default.
        score: Its score on the held-out items.
        default: That of the default.
        n_trials: Trials with a result.
    """

    params: dict = field(hash=False)
    score: float
    default: float
    n_trials: int


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        show: ``table`` or ``figure``.
        proposed: The warm-up method that is compared with all others, its baselines; empty if
            there is none.
        tune: How its rows are tuned first: ``trials`` and ``validation_items``; None: they are not.
        choices: What was chosen, by label of the row, once they are tuned.
    """

    name: str
    title: str
    show: str
    rows: list[Row]
    proposed: str = ""
    tune: dict | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One run: a row with a seed. Plain values only, so that it can go to another process.

    Attributes:
        key: Names the result file.
        settings_key: The same but for data and code.
        base_key: Names the pre-trained base that it may share; None if it may not.
    """

    key: str
    settings_key: str
    base_key: str | None
    label: str
    model: str
    base: str
    dataset: str
    seed: int
    config_files: list[str]
    settings: dict


class GridBuilder:
    """Builds sections for one data set.

    Args:
        dataset: Its name; None for the default.
        config_files: Settings files for all runs.
        settings: Settings for all runs; those of a row go before them.
    """

    def __init__(self, dataset: str | None, config_files: list[str], settings: dict):
        self.dataset = dataset
        self.config_files = config_files
        self.settings = settings
        self._resolved: dict[str, dict] = {}
        self._facts: dict = {}

    def note_data(self, facts: dict) -> None:
        """What the data are, where no data are at hand: the keys of all rows depend on it.

        Args:
            facts: Values of :data:`~recbole_mwuf.config.DATA_FACTS` by name.
        """
        self._facts = facts
        for resolved in self._resolved.values():
            resolved.update(facts)

    def preset(self, name: str) -> Section:
        """A preset of ``properties/experiment.yaml`` that is not a list of others."""
        content = presets()[name]
        like = {**presets().get(content.get("like"), {}), **content}
        if "rows" in like:
            rows = [self._row(**row) for row in like["rows"]]
        else:
            rows = self._panels(like["bases"], like["models"])
        if shared := like.get("settings"):
            rows = [self.changed(row, {**shared, **row.given}) for row in rows]
        proposed, tune = like["proposed"], like.get("tune")
        return Section(name, like["title"], like["show"], rows, proposed, tune)

    def own(self, models: list[str], bases: list[str | None]) -> Section:
        """Every method on every base, and the plain bases beside them, as RelaImpr needs them.

        Args:
            models: Warm-up methods and plain models; the first method is what is proposed.
            bases: What the methods work on; None for the default.
        """
        methods = [model for model in models if is_warm_up_method(model)]
        names = [base or self._resolve(methods[0], None, {})["base"] for base in bases if methods]
        rows = self._panels(names, methods)
        rows += [self._row(model) for model in models if model not in [*methods, *names]]
        return Section("grid", "Own grid", "table", rows, next(iter(methods), ""))

    def jobs(self, sections: list[Section], seeds: list[int]) -> list[Job]:
        """The runs of some sections, each once, seed by seed: what is complete grows evenly."""
        rows: dict[str, Row] = {}
        for section in sections:
            for row in section.rows:
                rows.setdefault(row.key, row)
        return [self._job(row, seed) for seed in seeds for row in rows.values()]

    def _job(self, row: Row, seed: int) -> Job:
        resolved = {**row.resolved, "seed": seed}
        return Job(
            key=run_key(resolved),
            settings_key=settings_key(resolved),
            base_key=base_key(resolved),
            label=row.label,
            model=row.model,
            base=row.base,
            dataset=resolved["dataset"],
            seed=seed,
            config_files=self.config_files,
            settings={**row.given, "seed": seed},
        )

    def _panels(self, bases: list[str], methods: list[str]) -> list[Row]:
        return [self._row(model, base, panel=base) for base in bases for model in [base, *methods]]

    def _row(
        self,
        model: str,
        base: str | None = None,
        label: str | None = None,
        settings: dict | None = None,
        panel: str = "",
    ) -> Row:
        given = {**self.settings, **(settings or {})}
        # a plain model is its own base; the default one is a method's
        resolved = self._resolve(model, base if is_warm_up_method(model) else None, given)
        name = f"{model}({resolved['base']})" if is_warm_up_method(model) else model
        return Row(label or name, panel, given, resolved)

    def changed(self, row: Row, settings: dict) -> Row:
        """A row with other settings over its own."""
        given = {**row.given, **settings}
        return replace(row, given=given, resolved=self._resolve(row.model, row.base, given))

    def _resolve(self, model: str, base: str | None, given: dict) -> dict:
        key = json.dumps([model, base, given])
        if key not in self._resolved:
            config = Config(model, self.dataset, self.config_files, given, base=base)
            self._resolved[key] = {**plain_values(config.final_config_dict), **self._facts}
        return self._resolved[key]


@cache
def presets() -> dict:
    """The content of ``properties/experiment.yaml``: a preset or a list of presets by name."""
    return read_properties("experiment")


def expand(names: list[str]) -> list[str]:
    """Names of presets, lists replaced by what they hold, each once.

    Raises:
        UserError: if there is none of a name.
    """
    found = presets()
    expanded: list[str] = []
    for name in names:
        if name not in found:
            raise UserError(f"there is no preset '{name}'; use {', '.join(found)}")
        expanded += found[name] if isinstance(found[name], list) else [name]
    return list(dict.fromkeys(expanded))
