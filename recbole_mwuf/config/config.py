"""A RecBole Config that also knows this package's models, settings and properties."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import yaml
from recbole.config import Config as RecBoleConfig

from recbole_mwuf.compat import numpy_names, older_libraries
from recbole_mwuf.config.arguments import CONFIG_FILES, literal, read_arguments
from recbole_mwuf.config.checks import (
    check_harmless,
    check_metrics,
    check_names,
    check_scoring,
    check_together,
    check_values,
)
from recbole_mwuf.config.notes import notes_on, notes_on_method
from recbole_mwuf.data.fingerprint import files_digest
from recbole_mwuf.data.taste_fields import possible_names
from recbole_mwuf.errors import UserError
from recbole_mwuf.registry import get_base, get_model, is_warm_up_method, settings_of
from recbole_mwuf.settings import Setting, properties_dir, read_properties, read_settings

# of a file beside the atomic files that a converter leaves if their data was made up
GENERATED_SUFFIX = ".generated"
# what a Config finds out about the data: facts, not choices
DATA_FACTS = ("generated_data", "data_files")

_TUNING = "tuning"
_LONGEST_NAME = 100  # of a data set: it is a part of names of files
# read by RecBole's command line or quick start and by ours, found in none of the files of defaults
_ELSEWHERE = {"base", "model", "dataset", CONFIG_FILES, "encoding", "local_rank", "offset"}
_ELSEWHERE |= {"nproc", "world_size", "group_offset", "ip", "port", "log_level"}
# RecBole takes one value for a list of one
_ONE_OR_MORE = ("metrics", "topk", "additional_feat_suffix", "benchmark_filename")


def tuning_defaults() -> dict:
    """The settings of the tuner, which lie over all other defaults."""
    return read_properties(_TUNING)


def with_tuning_defaults(config_files: list[str] | None) -> list[str]:
    """Settings files of a tuner's run: the tuner's own first, so that the user's come over it."""
    return [str(properties_dir() / f"{_TUNING}.yaml"), *(config_files or [])]


class Config(RecBoleConfig):
    """RecBole's Config with this package's defaults and models.

    The order of precedence, lowest first: RecBole's defaults, ``properties/overall.yaml``, the
    data set's file, the base's and the method's settings, ``config_file_list``, ``config_dict``,
    ``arguments``. Nothing is read from ``sys.argv``, and no socket is opened.

    Args:
        model: Name of a warm-up method or of a base model.
        dataset: Name of the data set.
        config_file_list: YAML files of settings.
        config_dict: Settings by name.
        base: Name of the base that a warm-up method works on.
        arguments: ``--name=value`` texts, as on a command line.

    Attributes:
        base_class: The class of the base.
        notes: Lines on settings that were given and have no effect.

    Raises:
        UserError: for an unknown model or base, a misspelt setting, a value that cannot be, an
            unreadable settings file.

    Examples:
        >>> Config("MWUF", base="FM", arguments=["--learning_rate=0.5"])["learning_rate"]
        0.5
    """

    def __init__(
        self,
        model: str | None = None,
        dataset: str | None = None,
        config_file_list: list[str] | None = None,
        config_dict: dict | None = None,
        *,
        base: str | None = None,
        arguments: Iterable[str] = (),
    ):
        settings = deepcopy(dict(config_dict or {}))  # RecBole fills in what a dict lacks
        if base is not None:
            settings["base"] = base
        self._arguments = read_arguments(arguments)
        files = [*(config_file_list or []), *self._arguments.get(CONFIG_FILES, "").split()]
        super().__init__(model, dataset, files, settings)
        check_together(self.final_config_dict)
        self.note_data()

    def note_data(self) -> None:
        """Set ``generated_data`` and ``data_files``, a digest of the atomic files that are there.

        Among the settings they stand in every result file, and runs on other data have other keys.
        """
        folder, name = self["data_path"], self["dataset"]
        self["generated_data"] = Path(folder, name + GENERATED_SUFFIX).is_file()
        self["data_files"] = files_digest(folder, name, self["additional_feat_suffix"] or ())

    @property
    def run_name(self) -> str:
        """Model, base and data set, for names of files; a plain model is its own base."""
        return "-".join(dict.fromkeys([self["model"], self["base"], self["dataset"]]))

    @property
    def given(self) -> dict[str, Any]:
        """The user's settings by name, from files, ``config_dict`` and arguments together."""
        settings = {n: v for n, v in self.external_config_dict.items() if n != CONFIG_FILES}
        return {**settings, "model": self["model"], "base": self.base, "dataset": self["dataset"]}

    @property
    def known(self) -> dict[str, Any]:
        """What RecBole, this package, the data set, the base and the method know: the defaults."""
        elsewhere = dict.fromkeys([*_ELSEWHERE, *read_settings(_TUNING)])
        return {**elsewhere, **self.internal_config_dict}

    def compatibility_settings(self) -> None:
        """RecBole's own names for numpy's types, with numpy 2 as well."""
        with older_libraries():
            super().compatibility_settings()

    def _load_cmd_line(self) -> dict:
        """RecBole reads ``sys.argv`` here."""
        return self._convert_config_dict(dict(self._arguments))

    def _load_config_files(self, file_list: list[str]) -> dict:
        for file in file_list or []:
            try:
                content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
                raise UserError(f"config_files: cannot read '{file}': {error}") from error
            if not isinstance(content, dict):
                raise UserError(f"config_files: '{file}' does not hold 'name: value' settings")
        return super()._load_config_files(file_list)

    def _convert_config_dict(self, config_dict: dict) -> dict:
        """Turn texts into values as RecBole does, but read literals only: nothing is executed."""
        return {
            name: literal(value) if isinstance(value, str) else value
            for name, value in config_dict.items()
        }

    def _get_model_and_dataset(self, model: str | None, dataset: str | None) -> tuple:
        overall = read_properties("overall", self.yaml_loader)
        given = self.external_config_dict
        model = _name("model", model or given.get("model", overall["model"]))
        dataset = _name("dataset", dataset or given.get("dataset", overall["dataset"]))
        too_long = len(dataset) > _LONGEST_NAME
        if too_long or set(dataset) & set("/\\\0") or not dataset.strip("."):  # it names files
            shown = dataset[:_LONGEST_NAME]
            raise UserError(f"dataset is {shown!r}, but must be a name; data_path is its folder")
        base = _name("base", given.get("base", overall["base"]))
        self.base = base if is_warm_up_method(model) else model
        self.base_class = get_base(self.base)
        return model, get_model(model), dataset

    def _load_internal_config_dict(self, model: str, model_class: type, dataset: str) -> None:
        super()._load_internal_config_dict(self.base, self.base_class, dataset)
        for name in ("overall", f"dataset/{dataset}"):
            self.internal_config_dict.update(read_properties(name, self.yaml_loader))
        for name in dict.fromkeys([self.base, model]):
            self.internal_config_dict.update(read_properties(f"model/{name}", self.yaml_loader))
            declared = settings_of(name)
            self.internal_config_dict.update({n: s.default for n, s in declared.items()})

    def declared(self) -> dict[str, Setting]:
        """What this package, the base and the method say of their settings."""
        own = [settings_of(name) for name in dict.fromkeys([self.base, self.model])]
        declared = dict(read_settings("overall"))
        for settings in own:
            declared.update(settings)
        return declared

    def _get_final_config_dict(self) -> dict:
        given, defaults, declared = (
            self.external_config_dict,
            self.internal_config_dict,
            self.declared(),
        )
        check_names(given, self.known)
        self.notes = notes_on(given, self.known, declared)
        ignores = getattr(self.model_class, "ignores", ())  # a plain base has none
        self.notes += notes_on_method(given, self.known, self.model, ignores)
        settings = {**super()._get_final_config_dict(), "base": self.base}
        for name in _ONE_OR_MORE:
            if isinstance(settings[name], (str, int)) and not isinstance(settings[name], bool):
                settings[name] = [settings[name]]
        check_values(settings, {**read_settings(_TUNING), **declared}, self.base_class)
        settings["eval_args"] = {**defaults["eval_args"], **settings["eval_args"]}
        check_scoring(settings["eval_args"])
        check_harmless(settings, self.base_class)
        check_metrics(settings["metrics"], settings["valid_metric"])
        if taste := possible_names(settings):  # RecBole's models read the float fields listed here
            numerical = settings["numerical_features"] or ()
            settings["numerical_features"] = list(dict.fromkeys([*numerical, *taste]))
        return settings

    def _set_default_parameters(self) -> None:
        """RecBole refuses GAUC beside AUC; it may stand beside them here, scored per user."""
        metrics = self.final_config_dict["metrics"]
        self.final_config_dict["metrics"] = [m for m in metrics if m.lower() != "gauc"] or ["AUC"]
        super()._set_default_parameters()
        self.final_config_dict["metrics"] = list(metrics)

    def _init_device(self) -> None:
        """RecBole's device; of several processes each has its own, on the CPU as well.

        RecBole would also connect the processes here: :func:`recbole_mwuf.parallel.connect` does.
        """
        settings = self.final_config_dict
        if "local_rank" not in settings:
            super()._init_device()
        else:
            gpu_id = settings["gpu_id"]
            settings["gpu_id"] = (
                ",".join(map(str, gpu_id)) if isinstance(gpu_id, tuple) else str(gpu_id)
            )
            os.environ["CUDA_VISIBLE_DEVICES"] = settings["gpu_id"]
            on_gpu = settings["gpu_id"] and torch.cuda.is_available()
            settings["device"] = (
                torch.device("cuda", settings["local_rank"]) if on_gpu else torch.device("cpu")
            )
            if settings["local_rank"] != 0:  # as RecBole does
                settings.update(state="error", show_progress=False, verbose=False)
        # our trainers share the work themselves; RecBole's would ask for a GPU per process
        settings["single_spec"] = True


class SavedConfig(Mapping):
    """The settings of an earlier run, as its model reads them; nothing changes them.

    Args:
        settings: Resolved settings by name, plain values.
        changes: Others in their place, such as ``device``.

    Attributes:
        base_class: The class of the base.

    Raises:
        UserError: if the base or a value is one that this version does not know.
    """

    def __init__(self, settings: Mapping[str, Any], **changes: Any):
        numpy_names()  # RecBole's models use aliases that numpy has dropped
        # what an earlier version did not know has its default
        self.final_config_dict: dict[str, Any] = {
            **read_properties("overall"),
            **settings,
            **changes,
        }
        self.base_class = get_base(str(self["base"]))
        declared = {**settings_of(str(self["base"])), **settings_of(str(self["model"]))}
        declared = {**read_settings("overall"), **declared}
        check_values(self.final_config_dict, declared, self.base_class)
        check_harmless(self.final_config_dict, self.base_class)

    def __getitem__(self, name: str) -> Any:
        return self.final_config_dict.get(name)  # None if there is none, as RecBole's Config

    def __setitem__(self, name: str, value: Any) -> None:
        self.final_config_dict[name] = value

    def __contains__(self, name: object) -> bool:
        return name in self.final_config_dict

    def __iter__(self) -> Iterator[str]:
        return iter(self.final_config_dict)

    def __len__(self) -> int:
        return len(self.final_config_dict)


def _name(setting: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UserError(f"{setting} is {value!r}, but must be a name")
    return value
