"""What makes two runs the same: keys from the content of settings and data, and from the code.

Everything here reads the resolved settings as a result file holds them (``config``), so that the
key of a planned run and that of a finished one are the same. Among them is ``data_files``, a digest
of the atomic files: other data under the same name have other keys. Of the code,
:data:`~recbole_mwuf.versions.FIGURES_VERSION` is part of a key, which is raised when figures move;
the package's version is not, since an update must not discard hours of runs (the report names every
version). A setting that an earlier version did not know counts as its default.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache

from recbole.utils.argument_list import evaluation_arguments, general_arguments

from recbole_mwuf.config import DATA_FACTS
from recbole_mwuf.registry import get_model, is_warm_up_method, settings_of, usable_methods
from recbole_mwuf.settings import read_properties
from recbole_mwuf.versions import FIGURES_VERSION

# where, how fast and how loudly a run works, and what else it writes; the seed has its own place
_NOT_IN_NUMBERS = {
    *(name for name in general_arguments if name != "reproducibility"),
    *("device", "worker", "torch_threads", "local_rank", "single_spec", "wandb_project"),
    *("base_phases", "result_path", "loss_decimal_place", "event_window"),
}
# what only acts once the base has been pre-trained
_AFTER_PRETRAINING = {
    # early stopping goes by the metric
    *(name for name in evaluation_arguments if name != "valid_metric"),
    *("model", "warm_up_epochs", "warm_up_optimizer", "warm_up_learning_rate"),
    *("warm_up_first_order", "warm_up_rows", "old_item_mean"),
}


def row_key(settings: dict, figures: int | None = None) -> str:
    """The key of a run without its seed: model, base and a digest of what its numbers depend on.

    Args:
        settings: Resolved settings, as in a result file.
        figures: Number of the code's figures; None: those of this version.
    """
    model, base = settings["model"], settings["base"]
    ignored = _NOT_IN_NUMBERS | _names_of_other_methods(model, base)
    return f"{model}-{base}-{_digest(settings, ignored, figures)}"


def run_key(settings: dict, figures: int | None = None) -> str:
    """The key of a run, which names its result file."""
    return f"{row_key(settings, figures)}-{settings['seed']}"


def row_key_of(result: dict) -> str:
    """:func:`row_key` of a finished run, from the content of its result file."""
    return row_key(result["config"], figures_of(result))


def run_key_of(result: dict) -> str:
    """:func:`run_key` of a finished run, from the content of its result file."""
    return run_key(result["config"], figures_of(result))


def figures_of(result: dict) -> int:
    """The number of the code that made a result; 0 for one from before there was a number."""
    return result["versions"].get("figures", 0)


def settings_key(settings: dict) -> str:
    """What :func:`run_key` would be if neither data nor code mattered."""
    return run_key({**settings, **dict.fromkeys(DATA_FACTS)}, 0)


def base_key(settings: dict) -> str | None:
    """The key of the pre-trained base that a run may share with others of its seed.

    Returns:
        str | None: None for a method that trains a base of its own, or if a base was given.
    """
    model = settings["model"]
    own = is_warm_up_method(model) and not get_model(model).shares_pretrained_base
    if own or settings["pretrained_base"] is not None:
        return None
    ignored = _NOT_IN_NUMBERS | _AFTER_PRETRAINING | _names_of_methods()
    return f"{settings['base']}-{_digest(settings, ignored, None)}-{settings['seed']}"


@cache
def _overall() -> dict:
    return read_properties("overall")


def _defaults(model: str) -> dict:
    declared = {name: setting.default for name, setting in settings_of(model).items()}
    return {**declared, **_file(model)}


@cache
def _file(model: str) -> dict:
    return read_properties(f"model/{model}")


def _names_of_methods() -> set[str]:
    """Settings that some warm-up method has for itself."""
    return set().union(*(_defaults(method) for method in usable_methods()))


def _names_of_other_methods(model: str, base: str) -> set[str]:
    return _names_of_methods() - (set(_defaults(model)) if model != base else set())


def _digest(settings: dict, ignored: set[str], figures: int | None) -> str:
    model, base = settings["model"], settings["base"]
    known = {**_overall(), **_defaults(base), **_defaults(model), **settings}
    content = {name: value for name, value in known.items() if name not in ignored}
    content["figures"] = FIGURES_VERSION if figures is None else figures
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
