"""Every setting is checked before any data is loaded: its name, its type, its range."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from recbole_mwuf.errors import UserError
from recbole_mwuf.evaluator.metrics import labelled_metrics
from recbole_mwuf.settings import Setting, read_properties

_ENDINGS = ("inter", "user", "item", "kg", "link", "net")  # of RecBole's atomic files
_EVAL_ARGS = {"split", "order", "group_by", "mode"}
# what follows from other settings or from the data, and what it follows from
_FACTS = {
    "data_files": "the files in data_path",
    "generated_data": "the files in data_path",
    "valid_metric_bigger": "valid_metric",
    "eval_type": "metrics",
    "MODEL_TYPE": "base",
    "MODEL_INPUT_TYPE": "base",
    "single_spec": "nproc",
}
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
_NOT_BY_TORCH = ("teacher", "n_cate")  # by eval and by numpy; the others call torch.load


@cache
def recbole_settings(base: type) -> Mapping[str, Setting]:
    """What RecBole's own settings may be, from ``properties/``; without defaults.

    Args:
        base: The class of the base; a subclass of one of RecBole's reads the same settings.
    """
    kinds = dict(read_properties("recbole"))
    of_models = read_properties("recbole_models")
    for name in reversed([parent.__name__ for parent in base.__mro__]):
        kinds.update(of_models.get(name, {}))
    return {name: Setting(..., kind) for name, kind in kinds.items()}


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse what is no setting: a fact, or a name that nearly is the name of one.

    Args:
        given: Names of the settings that the user gave.
        known: Names of all settings that something declares.
    """
    names = set(known) | set(read_properties("recbole")) | set(read_properties("ignored"))
    for name in given:
        if not isinstance(name, str):
            raise UserError(f"a setting is called {name!r}, but its name must be a text")
        if name in _FACTS:
            raise UserError(f"{name} cannot be set: it follows from {_FACTS[name]}")
        near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.8)
        if name not in names and near:
            raise UserError(f"there is no setting '{name}'. Did you mean '{near[0]}'?")


def check_values(values: Mapping[str, object], declared: Mapping[str, Setting], base: type) -> None:
    """Refuse values of another type or out of range.

    Args:
        values: All settings of a run.
        declared: What this package, the method and the base declare.
        base: The class of the base.
    """
    for name, setting in {**recbole_settings(base), **declared}.items():
        if name in values:
            setting.check(name, values[name])


def check_harmless(
    values: Mapping[str, object], base: type, torch_load_is_safe: bool = False
) -> None:
    """Refuse what RecBole's own code would evaluate or unpickle, wherever the setting comes from.

    Args:
        values: All settings of a run, of the user or out of a checkpoint.
        base: The class of its base; a subclass of one of RecBole's reads the same settings.
        torch_load_is_safe: Whether what RecBole loads by torch is read without executing it.
    """
    for name in (kind.__name__ for kind in base.__mro__):
        for setting, harmless in _TURNED_INTO_CODE.get(name, {}).items():
            value = values.get(setting)
            if torch_load_is_safe and setting not in _NOT_BY_TORCH:
                continue
            if value not in harmless:
                raise UserError(
                    f"{setting} is {value!r}, but with base={base.__name__} it must be "
                    f"{' or '.join(map(str, harmless))}: RecBole would run code that it names"
                )


def check_metrics(names: Iterable[str], valid_metric: str) -> None:
    """Refuse metrics that do not score labelled samples."""
    usable = labelled_metrics()
    given = [("metrics", name) for name in names] + [("valid_metric", valid_metric)]
    for setting, metric in given:
        if not isinstance(metric, str) or metric.lower() not in usable:
            raise UserError(
                f"{setting}: '{metric}' does not score labelled samples; use some of "
                + ", ".join(usable)
            )


def check_together(values: Mapping[str, Any]) -> None:
    """Refuse settings that fit one by one but not together, and a file that is not there."""
    _check_data_settings(values)
    base = values["pretrained_base"]
    if base is not None and not Path(base).is_file():
        raise UserError(f"pretrained_base: there is no checkpoint '{base}'")
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


def _check_data_settings(values: Mapping[str, Any]) -> None:
    """Those of RecBole's data settings that exclude or need each other."""
    endings = {*_ENDINGS, *(values["additional_feat_suffix"] or ())}
    for setting in ("load_col", "unload_col", "unused_col"):
        for ending in values[setting] or ():
            if ending not in endings:
                raise UserError(
                    f"{setting} names '{ending}', but must name endings of files: "
                    + ", ".join(sorted(endings))
                )
    load_col, unload_col = (values[name] or {} for name in ("load_col", "unload_col"))
    if values["load_col"] is not None and "inter" not in load_col:
        raise UserError("load_col names no columns of 'inter', the interactions; ~ loads all")
    if both := sorted(set(load_col) & set(unload_col)):
        raise UserError(f"load_col and unload_col both name columns of '{both[0]}'; give one")
    if values["threshold"] is not None and len(values["threshold"]) != 1:
        raise UserError(
            f"threshold is {values['threshold']}, but must name one field: {{'rating': 4}}"
        )
    if values["normalize_field"] and values["normalize_all"]:
        raise UserError("normalize_field and normalize_all exclude each other; give one")
    no_numbers = set(values["discretization"] or ()).difference(values["numerical_features"])
    if no_numbers:
        raise UserError(
            f"discretization names '{min(no_numbers)}', which numerical_features does not name"
        )
    if values["benchmark_filename"]:
        raise UserError(
            f"benchmark_filename is {values['benchmark_filename']}, but the cold-start split takes "
            "the place of files that are split; join them to one .inter file"
        )


def check_scoring(eval_args: Mapping[str, Any]) -> None:
    """Refuse ways of evaluation that RecBole has and a run here has not."""
    if unknown := sorted(map(str, set(eval_args) - _EVAL_ARGS)):
        raise UserError(
            f"eval_args names '{unknown[0]}', but knows only {', '.join(sorted(_EVAL_ARGS))}"
        )
    mode = eval_args["mode"]
    modes = list(mode.values()) if isinstance(mode, dict) else [mode]
    if not modes or any(mode != "labeled" for mode in modes):
        raise UserError(
            f"eval_args: mode is {mode!r}, but a run scores labelled samples; leave it out"
        )
