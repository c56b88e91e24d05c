"""The Config that RecBole's own code gets when it asks for one of this package's models."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from logging import getLogger
from pathlib import Path
from typing import Any

import yaml
from recbole.config import Config as RecBoleConfig
from recbole.utils import EvaluatorType

from recbole_mwuf.compat import replaced
from recbole_mwuf.config import Config, SavedConfig
from recbole_mwuf.config.checks import check_names, check_values
from recbole_mwuf.errors import UserError
from recbole_mwuf.integration.lookups import PLAIN, is_base, is_method, model_named
from recbole_mwuf.parallel.processes import connect
from recbole_mwuf.registry import is_warm_up_method, settings_of
from recbole_mwuf.settings import read_properties

# a base's share of properties/overall.yaml
_ARCHITECTURE = ("embedding_size", "mlp_hidden_size", "dropout_prob")


class MethodConfig(Config):
    """This package's Config with RecBole's conventions, for a warm-up method in RecBole's code.

    ``sys.argv`` is read as RecBole reads it, and one of several processes is connected here. The
    base is a setting, ``base``; for model NoWarmUp it goes through the phases by itself.
    """

    def __init__(
        self,
        model: str | type | None = None,
        dataset: str | None = None,
        config_file_list: list[str] | None = None,
        config_dict: dict | None = None,
    ):
        super().__init__(_name(model), dataset, config_file_list, config_dict)
        for note in self.notes:  # on what has no effect; an argument may be the script's own
            if note.partition("=")[0] not in self.cmd_config_dict:
                getLogger().warning(note)

    def _load_cmd_line(self) -> dict:
        return RecBoleConfig._load_cmd_line(self)

    def _get_model_and_dataset(self, model: str | None, dataset: str | None) -> tuple:
        name = model or self.external_config_dict["model"]
        if name != PLAIN:
            return super()._get_model_and_dataset(model, dataset)
        base = self.external_config_dict.get("base", read_properties("overall")["base"])
        _, _, dataset = super()._get_model_and_dataset(base, dataset)
        return PLAIN, model_named(PLAIN), dataset

    def _get_final_config_dict(self) -> dict:
        """An argument of the script's own, or a misspelt one, is left out with a warning."""
        for name in self.cmd_config_dict:
            try:
                check_names([name], self.known)
            except UserError as error:
                getLogger().warning(f"--{name} on the command line is not used: {error}")
                del self.external_config_dict[name]
        return super()._get_final_config_dict()

    def _init_device(self) -> None:
        super()._init_device()
        if "local_rank" in self.external_config_dict:
            connect(self)

    @classmethod
    def restored(cls, settings: Mapping[str, Any], **changes: Any) -> MethodConfig:
        """The Config of an earlier run from its resolved settings, which are taken as they are.

        Args:
            settings: Resolved settings by name, plain values, of a run of this package.
            changes: Others in their place.

        Raises:
            UserError: as :class:`~recbole_mwuf.config.SavedConfig`.
        """
        is_plain = not is_warm_up_method(str(settings.get("model")))
        model = PLAIN if is_plain else settings["model"]
        saved = SavedConfig(settings, **changes)
        config = cls.__new__(cls)
        config._init_parameters_category()
        config.model, config.dataset, config.base = model, saved["dataset"], saved["base"]
        config.model_class, config.base_class = model_named(model), saved.base_class
        config.file_config_dict = config.cmd_config_dict = config.internal_config_dict = {}
        config.variable_config_dict = config.external_config_dict = dict(saved.final_config_dict)
        config.notes = []
        config.final_config_dict = {
            **saved.final_config_dict,
            "model": model,
            "MODEL_TYPE": config.model_class.type,
            "MODEL_INPUT_TYPE": config.model_class.input_type,
            "eval_type": EvaluatorType.VALUE,
        }
        return config


class BaseConfig(RecBoleConfig):
    """RecBole's Config for a base that RecBole lacks, in RecBole's own world, with its defaults."""

    def _load_internal_config_dict(self, model: str, model_class: type, dataset: str) -> None:
        super()._load_internal_config_dict(model, model_class, dataset)
        overall = read_properties("overall", self.yaml_loader)
        self.internal_config_dict.update({name: overall[name] for name in _ARCHITECTURE})
        self.internal_config_dict.update(read_properties(f"model/{model}", self.yaml_loader))
        declared = settings_of(model)
        self.internal_config_dict.update({n: s.default for n, s in declared.items()})

    def _get_final_config_dict(self) -> dict:
        settings = super()._get_final_config_dict()
        check_values(settings, settings_of(self.model), self.model_class)
        return settings


def configs_of_own() -> AbstractContextManager[None]:
    """While open, RecBole's ``Config(...)`` gives one of the above where it names such a model.

    The class stays the one that others have imported; an object of it becomes one of its subclass.
    """
    original = RecBoleConfig.__init__

    def init(
        self: RecBoleConfig,
        model: str | type | None = None,
        dataset: str | None = None,
        config_file_list: list[str] | None = None,
        config_dict: dict | None = None,
    ) -> None:
        if type(self) is RecBoleConfig:
            name = _asked_for(model, config_file_list, config_dict)
            if is_method(name) or is_base(name):
                self.__class__ = MethodConfig if is_method(name) else BaseConfig
                return self.__init__(model, dataset, config_file_list, config_dict)
        return original(self, model, dataset, config_file_list, config_dict)

    return replaced(RecBoleConfig, "__init__", init)


def _asked_for(
    model: str | type | None, config_files: list[str] | None, config_dict: dict | None
) -> str:
    """The model's name, looked for where RecBole's Config does; empty if there is none."""
    arguments = [argument[2:].split("=") for argument in sys.argv[1:]]
    given = [a[1] for a in arguments if len(a) == 2 and a[0] == "model"]
    places = [config_dict or {}, *(_content(file) for file in reversed(config_files or []))]
    found = [*given, *(place.get("model") for place in places)]
    return _name(model) or next((_name(name) for name in found if name), "")


def _content(file: str) -> dict:
    """A settings file's content; none if it cannot be read: who builds the Config will say so."""
    try:
        content = yaml.load(Path(file).read_text(encoding="utf-8"), Loader=yaml.FullLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _name(model: Any) -> Any:
    """RecBole also takes a model's class."""
    return model.__name__ if isinstance(model, type) else model
