"""What a benchmark consists of: sections of the report, their rows, and a run per row and seed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import yaml

from recbole_mwuf.benchmark.keys import base_key, row_key, run_key
from recbole_mwuf.config import Config, properties_dir
from recbole_mwuf.errors import UserError
from recbole_mwuf.quick_start import plain_values
from recbole_mwuf.registry import is_warm_up_method

ALL = "all"


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
class Section:
    """A table or a figure of the report."""

    name: str
    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Job:
    """One run: a row with a seed. Plain values only, so that it can go to another process.

    Attributes:
        key: Names the result file.
        base_key: Names the pre-trained base that it may share; None if it may not.
    """

    key: str
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
        dataset: Its name.
        config_files: Settings files for all runs.
        settings: Settings for all runs; those of a row go before them.
    """

    def __init__(self, dataset: str, config_files: list[str], settings: dict):
        self.dataset = dataset
        self.config_files = config_files
        self.settings = settings
        self._resolved: dict[str, dict] = {}

    def preset(self, name: str) -> Section:
        """A preset of ``properties/benchmark.yaml``.

        Raises:
            UserError: if there is none of that name.
        """
        found = presets()
        if name not in found:
            raise UserError(f"there is no preset '{name}'; use {', '.join(found)} or {ALL}")
        content = found[name]
        if "rows" in content:
            rows = [self._row(**row) for row in content["rows"]]
        else:
            rows = self._panels(content["bases"], content["models"])
        return Section(name, content["title"], rows)

    def own(self, models: list[str], bases: list[str]) -> Section:
        """Every method on every base, and the plain bases beside them, as RelaImpr needs them.

        Args:
            models: Warm-up methods and plain models.
            bases: What the methods work on.
        """
        methods = [model for model in models if is_warm_up_method(model)]
        plain = [model for model in models if model not in methods and model not in bases]
        rows = self._panels(bases, methods) if methods else []
        plain = plain if methods else models
        return Section("grid", "Own grid", [*rows, *(self._row(model) for model in plain)])

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
            base_key=base_key(resolved),
            label=row.label,
            model=row.model,
            base=row.base,
            dataset=self.dataset,
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

    def _resolve(self, model: str, base: str | None, given: dict) -> dict:
        key = json.dumps([model, base, given])
        if key not in self._resolved:
            config = Config(model, base, self.dataset, self.config_files, given)
            self._resolved[key] = plain_values(config.final_config_dict)
        return self._resolved[key]


def presets() -> dict:
    """The content of ``properties/benchmark.yaml``."""
    return yaml.safe_load((properties_dir() / "benchmark.yaml").read_text(encoding="utf-8"))
