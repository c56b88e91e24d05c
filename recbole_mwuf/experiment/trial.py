"""A trial of RecBole's HyperTuning."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from recbole.evaluator import smaller_metrics

from recbole_mwuf.config import Config, with_tuning_defaults
from recbole_mwuf.data import PHASES, ColdStartDataset
from recbole_mwuf.errors import UserError
from recbole_mwuf.quick_start import execute


def objective_function(
    config_dict: dict | None = None,
    config_file_list: list[str] | None = None,
    saved: bool = False,
    data: ColdStartDataset | None = None,
    base_file: Path | None = None,
    arguments: Iterable[str] = (),
) -> dict:
    """A trial of RecBole's HyperTuning: a run that is scored as ``properties/tuning.yaml`` says.

    Args:
        config_dict: The trial's settings.
        config_file_list: YAML files of settings.
        saved: Whether to write checkpoints and the result file.
        data: As in :func:`execute`.
        base_file: As in :func:`execute`.
        arguments: ``--name=value`` texts that are the same for all trials.

    Returns:
        dict: ``best_valid_score`` and what else RecBole's HyperTuning reads of a result. There is
        no ``test_result``: reported items take no part in a search.

    Raises:
        UserError: if the metric, a phase or the protocol to optimise is not part of a result.
    """
    files = with_tuning_defaults(config_file_list)
    config = Config(config_file_list=files, config_dict=config_dict, arguments=arguments)
    result = execute(config, saved, data, base_file)
    metric, protocol = result.config["tune_metric"].lower(), result.config["tune_protocol"]
    phases = result.config["tune_phases"]
    try:
        scores = [result.phases[phase][protocol][metric] for phase in phases]
    except KeyError as error:
        raise UserError(
            f"tune_metric={metric}, tune_phases={phases}, tune_protocol={protocol}: there is no "
            f"{error} in a result; metrics are {result.config['metrics']}, phases {PHASES}"
        ) from error
    if None in scores:
        raise UserError(f"tune_metric={metric} is undefined on the validation items; see the log")
    return {
        "model": result.model,
        "best_valid_score": float(np.mean(scores)),
        "valid_score_bigger": metric not in smaller_metrics,
        "best_valid_result": dict(zip(phases, scores)),
        "test_result": {},
    }
