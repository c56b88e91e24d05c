"""A RecBole Config that also knows this package's models, settings and properties."""

from __future__ import annotations

import ast
import difflib
from pathlib import Path

import torch
import yaml
from recbole.config import Config as RecBoleConfig
from recbole.evaluator import metric_types
from recbole.utils import EvaluatorType
from torch import distributed

from recbole_mwuf.compat import older_libraries
from recbole_mwuf.errors import UserError
from recbole_mwuf.registry import get_base, get_model, is_warm_up_method

# of a file beside the atomic files that a converter leaves if their data was made up
GENERATED_SUFFIX = ".generated"

_TUNING = "tuning"
# read by RecBole's command line or quick start, but found in none of its properties files
_RECBOLE_EXTRA = {
    *("config_files", "nproc", "ip", "port", "world_size", "group_offset", "local_rank", "offset"),
    *("tail_ratio", "device", "enable_amp", "enable_scaler"),
}

# settings that take one of a few words
CHOICES = {
    "warm_up_optimizer": ("continued", "fresh"),
    "mwuf_variant": ("full", "init", "shift", "scale"),
    "meta_sample_order": ("shuffled", "time"),
    "metaemb_generator": ("two_layer", "author"),
    "interacted_users": ("all", "positive"),
    "old_item_mean": ("arithmetic", "geometric"),
    "sparse_embedding": (None, True, False),
}


def properties_dir() -> Path:
    """The folder of default settings: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "properties"
    return inside if inside.is_dir() else package.parent / "properties"


def read_properties(name: str, loader: type = yaml.SafeLoader) -> dict:
    """The content of a file of defaults, such as ``overall`` or ``model/MWUF``; {} if none."""
    file = properties_dir() / f"{name}.yaml"
    if not file.is_file():
        return {}
    return yaml.load(file.read_text(encoding="utf-8"), Loader=loader) or {}


def tuning_defaults() -> dict:
    """The settings of the tuner, which lie over all other defaults."""
    return read_properties(_TUNING)


def with_tuning_defaults(config_files: list[str] | None) -> list[str]:
    """Settings files of a tuner's run: the tuner's own first, so that the user's come over it."""
    return [str(properties_dir() / f"{_TUNING}.yaml"), *(config_files or [])]


class Config(RecBoleConfig):
    """RecBole's Config with this package's defaults and models.

    The order of precedence, lowest first: RecBole's defaults, ``properties/overall.yaml``, the
    data set's file, the base's and the method's file, ``config_file_list``, ``config_dict``,
    ``--key=value`` on the command line.

    Args:
        model: Name of a warm-up method or of a base model.
        base: Name of the base that a warm-up method works on.
        dataset: Name of the data set.
        config_file_list: YAML files of settings.
        config_dict: Settings by name.

    Raises:
        UserError: for an unknown model or base, a misspelt setting, an unreadable settings file.
    """

    def __init__(
        self,
        model: str | None = None,
        base: str | None = None,
        dataset: str | None = None,
        config_file_list: list[str] | None = None,
        config_dict: dict | None = None,
    ):
        settings = dict(config_dict or {})
        if base is not None:
            settings["base"] = base
        super().__init__(model, dataset, config_file_list, settings)
        self._check_choices()
        # a fact about the data, not a choice; among the settings it stands in every result file
        mark = Path(self["data_path"], self["dataset"] + GENERATED_SUFFIX)
        self["generated_data"] = mark.is_file()

    @property
    def run_name(self) -> str:
        """Model, base and data set, for names of files; a plain model is its own base."""
        return "-".join(dict.fromkeys([self["model"], self["base"], self["dataset"]]))

    def compatibility_settings(self):
        """RecBole's own names for numpy's types, with numpy 2 as well."""
        with older_libraries():
            super().compatibility_settings()

    def _load_config_files(self, file_list):
        for file in file_list or []:
            try:
                content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
                raise UserError(f"config_files: cannot read '{file}': {error}") from error
            if not isinstance(content, dict):
                raise UserError(f"config_files: '{file}' does not hold 'name: value' settings")
        return super()._load_config_files(file_list)

    def _convert_config_dict(self, config_dict):
        """Turn texts into values as RecBole does, but read literals only: nothing is executed."""
        return {
            key: _literal(value) if isinstance(value, str) else value
            for key, value in config_dict.items()
        }

    def _get_model_and_dataset(self, model, dataset):
        overall = read_properties("overall", self.yaml_loader)
        given = self.external_config_dict
        model = model or given.get("model", overall["model"])
        dataset = dataset or given.get("dataset", overall["dataset"])
        self.base = given.get("base", overall["base"]) if is_warm_up_method(model) else model
        self.base_class = get_base(self.base)
        return model, get_model(model), dataset

    def _load_internal_config_dict(self, model, model_class, dataset):
        super()._load_internal_config_dict(self.base, self.base_class, dataset)
        own = [f"dataset/{dataset}", f"model/{self.base}", f"model/{model}"]
        defaults: dict[str, object] = {}
        for name in dict.fromkeys(["overall", *own]):
            defaults.update(read_properties(name, self.yaml_loader))
        self.internal_config_dict.update(defaults)
        self._flags = [name for name, value in defaults.items() if isinstance(value, bool)]

    def _get_final_config_dict(self):
        self._check_names()
        return {**super()._get_final_config_dict(), "base": self.base}

    def _check_names(self) -> None:
        """Refuse a setting that no one reads but that nearly is the name of one."""
        known = set(self.internal_config_dict) | _RECBOLE_EXTRA | set(tuning_defaults())
        known.update(name for names in self.parameters.values() for name in names)
        for name in self.external_config_dict:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
            if name not in known and near:
                raise UserError(f"there is no setting '{name}'. Did you mean '{near[0]}'?")

    def _set_default_parameters(self):
        """RecBole refuses GAUC beside AUC; it may stand beside them here, scored per user."""
        metrics = self.final_config_dict["metrics"]
        metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        for metric in metrics:
            kind = metric_types.get(metric.lower())
            if kind != EvaluatorType.VALUE and metric.lower() != "gauc":
                raise UserError(
                    f"metrics: '{metric}' does not score labelled samples; use some of "
                    + ", ".join(n for n, t in metric_types.items() if t == EvaluatorType.VALUE)
                    + ", gauc"
                )
        self.final_config_dict["metrics"] = [m for m in metrics if m.lower() != "gauc"] or ["AUC"]
        super()._set_default_parameters()
        self.final_config_dict["metrics"] = metrics

    def _init_device(self):
        """RecBole's device; several processes work on the CPU as well, over gloo."""
        settings = self.final_config_dict
        if "local_rank" in settings and not torch.cuda.is_available():
            distributed.init_process_group(
                "gloo",
                rank=settings["local_rank"] + settings["offset"],
                world_size=settings["world_size"],
                init_method=f"tcp://{settings['ip']}:{settings['port']}",
            )
            settings["device"] = torch.device("cpu")
            if settings["local_rank"] != 0:  # as RecBole does
                settings.update(state="error", show_progress=False)
        else:
            super()._init_device()
        # our trainers share the work themselves; RecBole's would ask for a GPU per process
        settings["single_spec"] = True

    def _check_choices(self) -> None:
        if self["eval_step"] > 0 and not self["validation_items"]:
            raise UserError(
                f"eval_step={self['eval_step']}: early stopping scores held-out new items; give "
                "their share, such as --validation_items=0.2"
            )
        for name, allowed in {**CHOICES, **dict.fromkeys(self._flags, (True, False))}.items():
            if name in self and self[name] not in allowed:
                choices = " or ".join(map(str, allowed))
                raise UserError(f"{name} is '{self[name]}', but must be {choices}")


def _literal(text: str) -> object:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
