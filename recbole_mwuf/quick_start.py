"""From settings to a phase table: the counterpart of RecBole's quick start."""

from __future__ import annotations

import sys
from logging import getLogger
from pathlib import Path
from time import perf_counter

import numpy as np
import recbole
import torch
from recbole.utils import get_local_time, init_logger, set_color
from torch import nn

from recbole_mwuf import __version__
from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.evaluator.result import RunResult
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.warm_up_model import NoWarmUp, WarmUpModel
from recbole_mwuf.registry import get_method
from recbole_mwuf.trainer import BaseTrainer, WarmUpTrainer, checkpoint, seed_stage

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
) -> RunResult:
    """Run the paper's six steps and return the metrics of every phase.

    Args:
        model: A warm-up method, or a plain base model.
        base: The base that a warm-up method works on.
        dataset: Name of the data set.
        config_file_list: YAML files of settings.
        config_dict: Settings by name.
        saved: Whether to write checkpoints and the result file.

    Returns:
        RunResult: metrics by phase and protocol, timing, settings.

    Raises:
        UserError: if a setting, a file or the data does not fit; the message says what would.

    ``run("MWUF", base="WideDeep", dataset="ml-100k").table()`` is what the command line prints.
    """
    config = Config(model, base, dataset, config_file_list, config_dict)
    init_logger(config)
    logger = getLogger()
    logger.info(config)
    if config["torch_threads"] is not None:
        torch.set_num_threads(config["torch_threads"])
    timing = dict.fromkeys(_TIMING, 0.0)
    seed_stage(config)
    start = perf_counter()
    data = ColdStartDataset(config)
    timing["load_s"] = perf_counter() - start
    logger.info(data)
    logger.info(set_color("Cold-start split", "blue") + f": {data.split.counts()}")

    method = get_method(config["model"])
    files = _OutputFiles(config) if saved else None
    given = config["pretrained_base"]
    trained_base = _train_base(config, data, method, given, files, timing)
    base_phases = None
    try:
        if method is not NoWarmUp and config["base_phases"]:
            logger.info(set_color("The base without warm-up", "blue") + f": {config['base']}")
            shared = method.shares_pretrained_base
            plain = trained_base if shared else _train_base(config, data, NoWarmUp, None, None, {})
            _, base_phases = _warm_up(config, data, NoWarmUp, plain, {})
        trainer, phases = _warm_up(config, data, method, trained_base, timing)
    except KeyboardInterrupt:
        if files is not None and files.base.is_file():
            logger.warning(f"Interrupted. Continue with --pretrained_base={files.base}")
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
        config=checkpoint.plain_values(config.final_config_dict),
        versions=_versions(),
    )
    if files is not None:
        result.checkpoint = str(files.model)
        trainer.save_model(files.model, data)
        result.save(config["result_path"] or files.result)
    return result


class _OutputFiles:
    """Where a run writes, named as RecBole names its checkpoints."""

    def __init__(self, config: Config):
        folder = Path(config["checkpoint_dir"])
        names = dict.fromkeys([config["model"], config["base"], config["dataset"]])
        stem, now = "-".join(names), get_local_time()
        self.model = folder / f"{stem}-{now}.pth"
        self.result = folder / f"{stem}-{now}.json"
        self.base = folder / f"{config['base']}-{config['dataset']}-base-{now}.pth"


def _train_base(
    config: Config,
    data: ColdStartDataset,
    method: type[WarmUpModel],
    pretrained: str | None,
    files: _OutputFiles | None,
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
    trainer.fit(model.pretrain_loader(config, data), show_progress=config["show_progress"])
    timing["pretrain_s"] = trainer.seconds
    timing["pretrain_samples_per_s"] = _rate(trainer.samples, trainer.seconds)
    if files is not None:
        trainer.save_base(files.base, data, trained_for)
    return base


def _warm_up(
    config: Config, data: ColdStartDataset, method: type[WarmUpModel], base: nn.Module, timing: dict
) -> tuple[WarmUpTrainer, dict]:
    """Steps 2 to 6 for one method on a trained base."""
    seed_stage(config)
    trainer = WarmUpTrainer(config, method(config, data, base).to(config["device"]))
    trainer.meta_train(data)
    phases = trainer.run_phases(data)
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
