"""From settings to a phase table: the counterpart of RecBole's quick start."""

from __future__ import annotations

import sys
from functools import partial
from logging import getLogger
from pathlib import Path
from time import perf_counter

import numpy as np
import recbole
import torch
from recbole.evaluator import smaller_metrics
from recbole.utils import get_local_time, init_logger, set_color
from torch import nn

from recbole_mwuf import __version__
from recbole_mwuf.config import Config, with_tuning_defaults
from recbole_mwuf.data import PHASES, VALIDATION, ColdStartDataset, SetLoader
from recbole_mwuf.distributed import launch, rank, world_size
from recbole_mwuf.errors import UserError
from recbole_mwuf.evaluator.result import RunResult
from recbole_mwuf.files import plain_values
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.warm_up_model import NoWarmUp, WarmUpModel
from recbole_mwuf.registry import get_method
from recbole_mwuf.trainer import (
    BaseTrainer,
    WarmUpTrainer,
    checkpoint,
    evaluate_loader,
    seed_stage,
)

# what a result file tells about time and memory; 0 for a step that was not taken
_TIMING = (
    "load_s",
    "pretrain_s",
    "pretrain_samples_per_s",
    "meta_s",
    "meta_samples_per_s",
    "phases_s",
    "peak_rss_mb",
)


def run(
    model: str | None = None,
    base: str | None = None,
    dataset: str | None = None,
    config_file_list: list[str] | None = None,
    config_dict: dict | None = None,
    saved: bool = True,
    data: ColdStartDataset | None = None,
    base_file: Path | None = None,
) -> RunResult:
    """Run the paper's six steps and return the metrics of every phase.

    Args:
        model: A warm-up method, or a plain base model.
        base: The base that a warm-up method works on.
        dataset: Name of the data set.
        config_file_list: YAML files of settings.
        config_dict: Settings by name.
        saved: Whether to write checkpoints and the result file.
        data: The data set, if it has been loaded for an earlier run.
        base_file: Checkpoint of the pre-trained base: read if it is there, written if not.

    Returns:
        RunResult: metrics by phase and protocol, timing, settings.

    Raises:
        UserError: if a setting, a file or the data does not fit; the message says what would.
        ValueError: if ``data`` was loaded with other settings.

    ``run("MWUF", base="WideDeep", dataset="ml-100k").table()`` is what the command line prints.
    """
    config = Config(model, base, dataset, config_file_list, config_dict)
    init_logger(config)
    if world_size() == 1 and max(config["nproc"] or 1, config["world_size"] or 1) > 1:
        Path(config["checkpoint_dir"]).mkdir(parents=True, exist_ok=True)
        one = partial(run, saved=saved, base_file=base_file)
        names = (model, base, dataset, config_file_list)
        return launch(one, names, config_dict or {}, config)
    logger = getLogger()
    logger.info(config)
    if config["torch_threads"] is not None:
        torch.set_num_threads(config["torch_threads"])
    timing = dict.fromkeys(_TIMING, 0.0)
    seed_stage(config)
    if data is None:
        start = perf_counter()
        data = ColdStartDataset(config)
        timing["load_s"] = perf_counter() - start
    elif not data.fits(config):
        raise ValueError(f"the data set given was loaded with other settings: {data}")
    logger.info(data)
    logger.info(set_color("Cold-start split", "blue") + f": {data.split.counts()}")

    method = get_method(config["model"])
    files = _OutputFiles(config) if saved and rank() == 0 else None
    given = config["pretrained_base"]
    if base_file is None:
        base_file = files.base if files is not None else None
    elif given is None and base_file.is_file():
        given = base_file
    trained_base = _train_base(config, data, method, given, base_file, timing)
    base_phases = None
    try:
        if method is not NoWarmUp and config["base_phases"]:
            logger.info(set_color("The base without warm-up", "blue") + f": {config['base']}")
            shared = method.shares_pretrained_base
            plain = trained_base if shared else _train_base(config, data, NoWarmUp, None, None, {})
            _, base_phases = _warm_up(config, data, NoWarmUp, plain, {})
        trainer, phases = _warm_up(config, data, method, trained_base, timing)
    except KeyboardInterrupt:
        if base_file is not None and base_file.is_file():
            logger.warning(f"Interrupted. Continue with --pretrained_base={base_file}")
        raise
    timing["peak_rss_mb"] = _peak_rss_mb()

    result = RunResult(
        model=config["model"],
        base=config["base"],
        dataset=config["dataset"],
        seed=config["seed"],
        split=data.split.counts(),
        phases=phases,
        base_phases=base_phases,
        timing={name: round(value, 3) for name, value in timing.items()},
        config=plain_values(config.final_config_dict),
        versions=_versions(),
    )
    if files is not None:
        result.checkpoint = str(files.model)
        trainer.save_model(files.model, data)
        result.save(config["result_path"] or files.result)
    return result


def objective_function(
    config_dict: dict | None = None,
    config_file_list: list[str] | None = None,
    saved: bool = False,
    data: ColdStartDataset | None = None,
    base_file: Path | None = None,
) -> dict:
    """A trial of RecBole's HyperTuning: a run that is scored as ``properties/tuning.yaml`` says.

    Args:
        config_dict: The trial's settings.
        config_file_list: YAML files of settings.
        saved: Whether to write checkpoints and the result file.
        data: As in :func:`run`.
        base_file: As in :func:`run`.

    Returns:
        dict: ``best_valid_score`` and what else RecBole's HyperTuning reads of a result. There is
        no ``test_result``: reported items take no part in a search.

    Raises:
        UserError: if the metric, a phase or the protocol to optimise is not part of a result.
    """
    files = with_tuning_defaults(config_file_list)
    result = run(None, None, None, files, config_dict, saved, data, base_file)
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


class _OutputFiles:
    """Where a run writes, named as RecBole names its checkpoints."""

    def __init__(self, config: Config):
        folder = Path(config["checkpoint_dir"])
        stem, now = config.run_name, get_local_time()
        self.model = folder / f"{stem}-{now}.pth"
        self.result = folder / f"{stem}-{now}.json"
        self.base = folder / f"{config['base']}-{config['dataset']}-base-{now}.pth"


def _train_base(
    config: Config,
    data: ColdStartDataset,
    method: type[WarmUpModel],
    pretrained: str | Path | None,
    base_file: Path | None,
    timing: dict,
) -> nn.Module:
    """Step 1: pre-train the base on the old items, or take the one that was given."""
    seed_stage(config)
    base = create_base(config, data)
    model = method(config, data, base)  # refuses what does not fit before hours of training
    own = not method.shares_pretrained_base
    trained_for = method.__name__ if own else checkpoint.ANY_METHOD
    if pretrained is not None:
        checkpoint.load_base(pretrained, base, data, trained_for)
        return base
    base.requires_grad_(True)
    seed_stage(config)
    trainer = BaseTrainer(config, base, model.pretrain_loss if own else None)

    def validate() -> dict:
        order = model.scoring_order
        held_out = SetLoader(data, VALIDATION, config["eval_batch_size"], "cold", order)
        if own:
            model.observe(data.history, "cold")
        return evaluate_loader(config, model if own else base, held_out)

    trainer.train(model.pretrain_loader(config, data), validate)
    trainer.tensorboard.close()  # or its thread stays as long as the process
    timing["pretrain_s"] = trainer.seconds
    timing["pretrain_samples_per_s"] = _rate(trainer.samples, trainer.seconds)
    if base_file is not None and rank() == 0:
        trainer.save_base(base_file, data, trained_for)
    return base


def _warm_up(
    config: Config, data: ColdStartDataset, method: type[WarmUpModel], base: nn.Module, timing: dict
) -> tuple[WarmUpTrainer, dict]:
    """Steps 2 to 6 for one method on a trained base."""
    seed_stage(config)
    trainer = WarmUpTrainer(config, method(config, data, base).to(config["device"]))
    trainer.meta_train(data)
    phases = trainer.run_phases(data)
    trainer.tensorboard.close()
    timing["meta_s"] = trainer.meta_seconds
    timing["meta_samples_per_s"] = _rate(trainer.meta_samples, trainer.meta_seconds)
    timing["phases_s"] = trainer.phases_seconds
    return trainer, phases


def _rate(samples: int, seconds: float) -> float:
    return samples / seconds if samples else 0.0


def _versions() -> dict:
    return {
        "recbole_mwuf": __version__,
        "recbole": recbole.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _peak_rss_mb() -> float:
    """Peak resident memory of this process in MiB."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
