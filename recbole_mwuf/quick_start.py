"""From settings to a phase table: the counterpart of RecBole's quick start."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from functools import partial
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
from recbole_mwuf.data import VALIDATION, ColdStartDataset, SetLoader
from recbole_mwuf.evaluator.bootstrap import plain_draws
from recbole_mwuf.evaluator.result import RunResult
from recbole_mwuf.files import plain_values
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.parallel.collectives import own_shard, rank, world_size
from recbole_mwuf.parallel.processes import connect, launch
from recbole_mwuf.registry import get_method, import_modules, registered_modules
from recbole_mwuf.trainer import (
    BaseTrainer,
    ClockTrainer,
    WarmUpTrainer,
    checkpoint,
    evaluate_loader,
    seed_stage,
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
        UserError: if a setting, a file or the data does not fit.

    ``run("MWUF", base="WideDeep", dataset="ml-100k").table()`` is what the command line prints.
    """
    return execute(Config(model, dataset, config_file_list, config_dict, base=base), saved)


def execute(
    config: Config,
    saved: bool = True,
    data: ColdStartDataset | None = None,
    base_file: Path | None = None,
) -> RunResult:
    """:func:`run` with settings that are read already.

    Args:
        config: The settings.
        saved: As in :func:`run`.
        data: The data set, if it has been loaded for an earlier run.
        base_file: Checkpoint of the pre-trained base: read if it is there, written if not.

    Raises:
        UserError: as :func:`run`.
        ValueError: if ``data`` was loaded with other settings.
    """
    if world_size() == 1 and max(config["nproc"] or 1, config["world_size"] or 1) > 1:
        Path(config["checkpoint_dir"]).mkdir(parents=True, exist_ok=True)
        own = partial(_in_one_process, config.given, saved, base_file, registered_modules())
        return launch(own, config)
    _start_logging(config)
    if config["torch_threads"] is not None:
        torch.set_num_threads(config["torch_threads"])
    data, load_s = _load(config, data)
    method = get_method(config["model"])
    files = _OutputFiles(config) if saved and rank() == 0 else None
    trained = _pretrain(config, data, method, _BaseFiles.of(config, files, base_file))
    try:
        base_phases = _run_base(config, data, method, trained.module)
        trainer, phases = _warm_up(config, data, method, trained.module)
    except KeyboardInterrupt:
        if trained.file is not None and trained.file.is_file():
            getLogger().warning(f"Interrupted. Continue with --pretrained_base={trained.file}")
        raise
    result = RunResult(
        model=config["model"],
        base=config["base"],
        dataset=config["dataset"],
        seed=config["seed"],
        split=data.split.counts(),
        phases=phases,
        base_phases=base_phases,
        updates=trainer.updates,
        auc_draws=plain_draws(trainer.draws),
        timing=_timing(load_s, trained, trainer),
        config=plain_values(config.final_config_dict),
        versions=_versions(),
    )
    if files is not None:
        result.checkpoint = str(files.model)
        trainer.save_model(files.model, data)
        result.save(config["result_path"] or files.result)
    return result


def _in_one_process(
    given: dict, saved: bool, base_file: Path | None, modules: list[str], own: dict
) -> RunResult:
    """One of several processes: the user's settings and this process's own numbers."""
    import_modules(modules)
    config = Config(config_dict={**given, **own})
    connect(config)
    return execute(config, saved, base_file=base_file)


class _OutputFiles:
    """Where a run writes, named as RecBole names its checkpoints."""

    def __init__(self, config: Config):
        folder = Path(config["checkpoint_dir"])
        stem, now = config.run_name, get_local_time()
        self.model = folder / f"{stem}-{now}.pth"
        self.result = folder / f"{stem}-{now}.json"
        self.base = folder / f"{config['base']}-{config['dataset']}-base-{now}.pth"


@dataclass(frozen=True)
class _BaseFiles:
    """Where a trained base comes from and goes to.

    Attributes:
        given: A checkpoint to load; None to train.
        written: Where a base that was trained goes; None for nowhere.
    """

    given: str | Path | None = None
    written: Path | None = None

    @classmethod
    def of(cls, config: Config, files: _OutputFiles | None, kept: Path | None) -> _BaseFiles:
        """The user's ``pretrained_base``, else the one that is kept for several runs."""
        given = config["pretrained_base"]
        if given is None and kept is not None and kept.is_file():
            given = kept
        return cls(given, kept or (None if files is None else files.base))


@dataclass(frozen=True)
class _TrainedBase:
    """A base after step 1.

    Attributes:
        file: Its checkpoint, if there is one.
        seconds: What pre-training took; 0 if it was loaded.
        samples: Samples that pre-training saw.
    """

    module: nn.Module
    file: Path | None
    seconds: float = 0.0
    samples: int = 0


def _start_logging(config: Config) -> None:
    """RecBole's logger; the settings go to the log file, to the console with ``state=DEBUG``."""
    init_logger(config)
    logger = getLogger()
    if config["state"].lower() == "debug":
        logger.debug(config)
        return
    record = logger.makeRecord("settings", logging.INFO, __file__, 0, str(config), (), None)
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


def _load(config: Config, data: ColdStartDataset | None) -> tuple[ColdStartDataset, float]:
    """The data set and the seconds that loading took."""
    seed_stage(config)
    start = perf_counter()
    loaded = ColdStartDataset(config) if data is None else data
    seconds = 0.0 if data is not None else perf_counter() - start
    if not loaded.fits(config):
        raise ValueError(f"the data set given was loaded with other settings: {data}")
    getLogger().info(loaded)
    getLogger().info(set_color("Cold-start split", "blue") + f": {loaded.split.counts()}")
    return loaded, seconds


def _pretrain(
    config: Config, data: ColdStartDataset, method: type[WarmUpMethod], files: _BaseFiles
) -> _TrainedBase:
    """Step 1: pre-train the base on the old items, or take the one that was given."""
    seed_stage(config)
    base = create_base(config, data)
    model = method(config, data, base)  # refuses what does not fit before hours of training
    own = not method.shares_pretrained_base
    trained_for = method.__name__ if own else checkpoint.ANY_METHOD
    if files.given is not None:
        checkpoint.load_base(files.given, base, data, trained_for)
        return _TrainedBase(base, files.written)
    base.requires_grad_(True)
    seed_stage(config)
    trainer = BaseTrainer(config, base, model.pretrain_loss if own else None)

    def validate() -> dict:
        size, order = config["eval_batch_size"], model.scoring_order
        held_out = SetLoader(data, VALIDATION, size, "cold", order, shard=own_shard())
        if own:
            model.observe(data.history, "cold")
        return evaluate_loader(config, model if own else base, data, held_out)

    trainer.train(model.pretrain_loader(config, data, own_shard()), validate)
    trainer.tensorboard.close()  # or its thread stays as long as the process
    if files.written is not None and rank() == 0:
        trainer.save_base(files.written, data, trained_for)
    return _TrainedBase(base, files.written, trainer.loop.seconds, trainer.loop.samples)


def _run_base(
    config: Config, data: ColdStartDataset, method: type[WarmUpMethod], trained: nn.Module
) -> dict | None:
    """The phases of the base without warm-up; None if the run is that itself or leaves it out."""
    if method is NoWarmUp or not config["base_phases"]:
        return None
    getLogger().info(set_color("The base without warm-up", "blue") + f": {config['base']}")
    shared = method.shares_pretrained_base
    plain = trained if shared else _pretrain(config, data, NoWarmUp, _BaseFiles()).module
    return _warm_up(config, data, NoWarmUp, plain)[1]


def _warm_up(
    config: Config, data: ColdStartDataset, method: type[WarmUpMethod], base: nn.Module
) -> tuple[WarmUpTrainer, dict]:
    """Steps 2 to 6 for one method on a trained base: its trainer and the metrics by phase."""
    seed_stage(config)
    kind = WarmUpTrainer if data.split.cut is None else ClockTrainer
    trainer = kind(config, method(config, data, base).to(config["device"]))
    trainer.meta_train(data)
    phases = trainer.run_phases(data)
    trainer.tensorboard.close()
    return trainer, phases


def _timing(load_s: float, trained: _TrainedBase, trainer: WarmUpTrainer) -> dict[str, float]:
    """What a result file tells about time and memory; 0 for a step that was not taken."""
    timing = {
        "load_s": load_s,
        "pretrain_s": trained.seconds,
        "pretrain_samples_per_s": _rate(trained.samples, trained.seconds),
        "meta_s": trainer.meta_seconds,
        "meta_samples_per_s": _rate(trainer.meta_samples, trainer.meta_seconds),
        "phases_s": trainer.phases_seconds,
        "peak_rss_mb": _peak_rss_mb(),
    }
    return {name: round(value, 3) for name, value in timing.items()}


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
