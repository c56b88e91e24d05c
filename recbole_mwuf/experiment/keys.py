"""What makes two runs the same: keys from the content of a run's settings.

Everything here reads the resolved settings as a result file holds them (``config``), so that the
key of a planned run and that of a finished one are the same. An update of the package must not
discard hours of runs: its version is no part of a key (the report names every version), and a
setting that an earlier version did not know counts as its default.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache

from recbole.utils.argument_list import evaluation_arguments, general_arguments

from recbole_mwuf.registry import get_model, is_warm_up_method, settings_of, warm_up_methods
from recbole_mwuf.settings import read_properties

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


def row_key(settings: dict) -> str:
    """The key of a run without its seed: model, base and a digest of what its numbers depend on.

    Args:
        settings: Resolved settings, as in a result file.
    """
    model, base = settings["model"], settings["base"]
    other_methods = _names_of_methods() - (set(_defaults(model)) if model != base else set())
    return f"{model}-{base}-{_digest(settings, _NOT_IN_NUMBERS | other_methods)}"


def run_key(settings: dict) -> str:
    """The key of a run, which names its result file."""
    return f"{row_key(settings)}-{settings['seed']}"


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
    return f"{settings['base']}-{_digest(settings, ignored)}-{settings['seed']}"


@cache
def _overall() -> dict:
    return read_properties("overall")


@cache
def _defaults(model: str) -> dict:
    declared = {name: setting.default for name, setting in settings_of(model).items()}
    return {**declared, **read_properties(f"model/{model}")}


def _names_of_methods() -> set[str]:
    """Settings that some warm-up method has for itself."""
    return set().union(*(_defaults(method) for method in warm_up_methods()))


def _digest(settings: dict, ignored: set[str]) -> str:
    model, base = settings["model"], settings["base"]
    known = {**_overall(), **_defaults(base), **_defaults(model), **settings}
    content = {name: value for name, value in known.items() if name not in ignored}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
