"""Every setting is checked before any data is loaded: its name, its type, its range."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from recbole.evaluator import metric_types
from recbole.utils import EvaluatorType

from recbole_mwuf.errors import UserError
from recbole_mwuf.settings import Setting, read_properties

# read by RecBole's command line or quick start, but found in none of its properties files
_ELSEWHERE = {"config_files", "local_rank", "offset", "tail_ratio", "device", "enable_amp"}
_ELSEWHERE |= {"enable_scaler", "log_level"}
# What models of RecBole turn into code when they are built, and the values that they may have.
# KD_DAGFM evaluates `teacher`; all others here unpickle a file if a setting is not one of these.
_TURNED_INTO_CODE: Mapping[str, Mapping[str, tuple]] = {
    "KD_DAGFM": {"teacher": ("CrossNet", "CIN"), "phase": ("teacher_training",)},
    "ConvNCF": {"train_method": ("no_pretrain",)},
    "LDiffRec": {"n_cate": (1,)},
    "NAIS": {"pretrain_path": (None,)},
    "NeuMF": {"use_pretrain": (False,)},
    "RaCT": {"train_stage": ("actor_pretrain",)},
    "S3Rec": {"train_stage": ("pretrain",)},
}


def recbole_settings() -> dict[str, Setting]:
    """What RecBole's own settings may be, from ``properties/recbole.yaml``; without defaults."""
    return {name: Setting(..., kind) for name, kind in read_properties("recbole").items()}


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a setting that no one reads but that nearly is the name of one.

    Args:
        given: Names of the settings that the user gave.
        known: Names of all settings that something declares.
    """
    names = set(known) | _ELSEWHERE | set(read_properties("recbole"))
    for name in given:
        near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.8)
        if name not in names and near:
            raise UserError(f"there is no setting '{name}'. Did you mean '{near[0]}'?")


def check_values(values: Mapping[str, object], declared: Mapping[str, Setting]) -> None:
    """Refuse values of another type or out of range.

    Args:
        values: All settings of a run.
        declared: What this package, the method and the base declare.
    """
    for name, setting in {**recbole_settings(), **declared}.items():
        if name in values:
            setting.check(name, values[name])


def check_harmless(values: Mapping[str, object], base: type) -> None:
    """Refuse what RecBole's own code would evaluate or unpickle, wherever the setting comes from.

    Args:
        values: All settings of a run, of the user or out of a checkpoint.
        base: The class of its base; a subclass of one of RecBole's reads the same settings.
    """
    for name in (kind.__name__ for kind in base.__mro__):
        for setting, harmless in _TURNED_INTO_CODE.get(name, {}).items():
            value = values.get(setting)
            if value not in harmless:
                raise UserError(
                    f"{setting} is {value!r}, but with base={base.__name__} it must be "
                    f"{' or '.join(map(str, harmless))}: RecBole would run code that it names"
                )


def check_metrics(names: Iterable[str], valid_metric: str) -> None:
    """Refuse metrics that do not score labelled samples; RecBole's GAUC does, user by user."""
    usable = [name for name, kind in metric_types.items() if kind == EvaluatorType.VALUE]
    usable.append("gauc")
    given = [("metrics", name) for name in names] + [("valid_metric", valid_metric)]
    for setting, metric in given:
        if not isinstance(metric, str) or metric.lower() not in usable:
            raise UserError(
                f"{setting}: '{metric}' does not score labelled samples; use some of "
                + ", ".join(usable)
            )


def check_together(values: Mapping[str, Any]) -> None:
    """Refuse settings that fit one by one but not together."""
    if values["eval_step"] and not values["validation_items"]:
        raise UserError(
            f"eval_step={values['eval_step']}: early stopping scores held-out new items; give "
            "their share, such as --validation_items=0.2"
        )
    metrics = [name.lower() for name in values["metrics"]]
    if values["eval_step"] and values["valid_metric"].lower() not in metrics:
        raise UserError(
            f"valid_metric is '{values['valid_metric']}', but early stopping can only go by one "
            f"of metrics={values['metrics']}"
        )
    if values["score_validation"] and not values["validation_items"]:
        raise UserError("score_validation needs validation_items, such as validation_items=0.2")
