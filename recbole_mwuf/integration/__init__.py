"""RecBole's own doors: its look-ups, quick start, tuner and case study, for this package's models.

Nothing in RecBole changes before :func:`register`, and :func:`unregister` takes all of it back.
"""

from __future__ import annotations

import atexit
from contextlib import ExitStack

import recbole.data.dataset
import recbole.trainer
from recbole.utils.argument_list import dataset_arguments

from recbole_mwuf.compat import newer_scipy_and_hyperopt, replaced
from recbole_mwuf.integration.checkpoints import readable_checkpoints
from recbole_mwuf.integration.config import configs_of_own
from recbole_mwuf.integration.lookups import dataset_named, importable_models, trainer_named
from recbole_mwuf.integration.workers import workers_that
from recbole_mwuf.recbole_models import get_recbole_model

# RecBole takes a saved data set for another run's if these settings are the same, too
_OF_THE_SPLIT = ("old_item_threshold", "phase_size", "validation_items", "score_validation")
_open = ExitStack()  # what is replaced in RecBole; empty while nothing is registered
_registered = False


def register() -> None:
    """Let RecBole's own code run this package's methods, and read checkpoints of both.

    Afterwards ``run_recbole(model="MWUF", dataset="ml-100k")``, ``load_data_and_model(FILE)`` and
    all else that builds on RecBole's look-ups work, also for models that a guest registers.
    Names that RecBole has itself keep their meaning. Registering twice is harmless.

    Examples:
        >>> from recbole.utils import get_model
        >>> register()
        >>> get_model("MWUF").__module__
        'recbole_mwuf.model.warm_up.mwuf'
        >>> unregister()
    """
    global _registered
    if _registered:
        return
    _registered = True
    get_recbole_model("SINE")  # looked up later, it switches autograd's slow anomaly mode on
    for replacement in (
        importable_models(),
        configs_of_own(),
        replaced(recbole.trainer, "__getattr__", trainer_named),
        replaced(recbole.data.dataset, "__getattr__", dataset_named),
        readable_checkpoints(),
        workers_that(register),
        newer_scipy_and_hyperopt(),
    ):
        _open.enter_context(replacement)
    dataset_arguments.extend(_OF_THE_SPLIT)
    for name in _OF_THE_SPLIT:
        _open.callback(dataset_arguments.remove, name)


def unregister() -> None:
    """Give RecBole back as it was."""
    global _registered
    _registered = False
    _open.close()


# or what is open is closed when half of the interpreter is gone
atexit.register(unregister)

__all__ = ["register", "unregister"]
