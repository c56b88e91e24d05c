"""From settings to a phase table: the counterpart of RecBole's quick start."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from logging import getLogger
from pathlib import Path
from time import perf_counter

from torch import nn

from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.errors import UserError
from recbole_mwuf.evaluator.bootstrap import plain_draws
from recbole_mwuf.evaluator.result import RunResult
from recbole_mwuf.files import plain_values, set_aside
from recbole_mwuf.logs import ONLY_IN_FILE, discard_log, start_logging, tell
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.output_files import BaseFiles, OutputFiles
from recbole_mwuf.parallel import use_threads
from recbole_mwuf.parallel.collectives import rank, world_size
from recbole_mwuf.parallel.processes import connect, launch
from recbole_mwuf.registry import get_method, import_modules, registered_modules
from recbole_mwuf.trainer import (
    ClockTrainer,
    WarmUpTrainer,
    checkpoint,
    pretrain_base,
    seed_stage,
    trained_for,
)
from recbole_mwuf.versions import versions


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
    start_logging(config)
    use_threads(config)
    try:
        data, load_s = _load(config, data)
    except UserError:
        discard_log()  # nothing has begun
        raise
    writes = saved and rank() == 0
    with OutputFiles.reserved(config) if writes else nullcontext() as files:
        return _six_steps(config, data, load_s, files, base_file)


def _six_steps(
    config: Config,
    data: ColdStartDataset,
    load_s: float,
    files: OutputFiles | None,
    base_file: Path | None,
) -> RunResult:
    """The paper's steps in one process; arguments as in :func:`execute`.

    Args:
        load_s: Seconds that loading took.
        files: Where this process writes; None for nowhere.
    """
    method = get_method(config["model"])
    trained = _pretrain(config, data, method, BaseFiles.of(config, files, base_file))
    try:
        base_phases = _run_base(config, data, method, trained.module)
        trainer, phases = _warm_up(config, data, method, trained.module)
    except KeyboardInterrupt as interrupt:
        if trained.file is not None and trained.file.is_file():
            way_on = f"to continue from here: --pretrained_base={trained.file}"
            raise KeyboardInterrupt(way_on) from interrupt
        raise
    result = RunResult(
        model=config["model"],
        base=config["base"],
        dataset=config["dataset"],
        seed=config["seed"],
        split={**data.split.counts(), "positive_shares": data.positive_shares()},
        phases=phases,
        base_phases=base_phases,
        updates=trainer.updates,
        auc_draws=plain_draws(trainer.draws),
        pretraining=trained.told,
        timing=_timing(load_s, trained, trainer),
        config=plain_values(config.final_config_dict),
        versions=versions(),
        fingerprint=data.fingerprint,
    )
    if files is not None:
        result.save(files.result)  # first: small, and what the run was for
        trainer.save_model(files.model, data)
        result.checkpoint = str(files.model)
        tell("Saving result:", str(files.result))
    return result


def _in_one_process(
    given: dict, saved: bool, base_file: Path | None, modules: list[str], own: dict
) -> RunResult:
    """One of several processes: the user's settings and this process's own numbers."""
    import_modules(modules)
    config = Config(config_dict={**given, **own})
    connect(config)
    return execute(config, saved, base_file=base_file)


@dataclass(frozen=True)
class _TrainedBase:
    """A base after step 1.

    Attributes:
        file: Its checkpoint, if there is one.
        seconds: What pre-training took; 0 if it was loaded.
        samples: Samples that pre-training saw.
        told: What the result file keeps of it.
    """

    module: nn.Module
    file: Path | None
    seconds: float = 0.0
    samples: int = 0
    told: dict = field(default_factory=dict)


def _load(config: Config, data: ColdStartDataset | None) -> tuple[ColdStartDataset, float]:
    """The data set and the seconds that loading took."""
    seed_stage(config)
    start = perf_counter()
    loaded = ColdStartDataset(config) if data is None else data
    seconds = 0.0 if data is not None else perf_counter() - start
    if not loaded.fits(config):
        raise ValueError(f"the data set given was loaded with other settings: {data}")
    if config["data_files"] is None:  # RecBole has just downloaded them
        config.note_data()
    getLogger().info(loaded, extra=ONLY_IN_FILE)
    tell("Data set:", loaded.summary())
    tell("Split:", loaded.split.summary())
    return loaded, seconds


def _pretrain(
    config: Config, data: ColdStartDataset, method: type[WarmUpMethod], files: BaseFiles
) -> _TrainedBase:
    """Step 1: pre-train the base on the old items, or take the one that was given."""
    seed_stage(config)
    base = create_base(config, data)
    model = method(config, data, base)  # refuses what does not fit before hours of training
    if files.given is not None:
        tell("Loading base:", str(files.given))
        try:
            told = checkpoint.load_base(files.given, base, data, trained_for(method))
            return _TrainedBase(base, files.written, told=told)
        except UserError as error:
            if not files.replaceable:
                raise
            getLogger().error(f"{error}. Set aside as {set_aside(files.given)}; trained again")
            return _pretrain(config, data, method, replace(files, given=None))
    purpose = "" if method.shares_pretrained_base else f" for {trained_for(method)}"
    tell("Pre-training", f"{type(base).__name__}{purpose} on {data.is_old.sum()} old items")
    trainer = pretrain_base(config, model, data)
    if files.written is not None and rank() == 0:
        trainer.save_base(files.written, data, trained_for(method))
    loop = trainer.loop
    return _TrainedBase(base, files.written, loop.seconds, loop.samples, trainer.told())


def _run_base(
    config: Config, data: ColdStartDataset, method: type[WarmUpMethod], trained: nn.Module
) -> dict | None:
    """The phases of the base without warm-up; None if the run is that itself or leaves it out."""
    if method is NoWarmUp or not config["base_phases"]:
        return None
    shared = method.shares_pretrained_base
    plain = trained if shared else _pretrain(config, data, NoWarmUp, BaseFiles()).module
    return _warm_up(config, data, NoWarmUp, plain)[1]


def _warm_up(
    config: Config, data: ColdStartDataset, method: type[WarmUpMethod], base: nn.Module
) -> tuple[WarmUpTrainer, dict]:
    """Steps 2 to 6 for one method on a trained base: its trainer and the metrics by phase."""
    seed_stage(config)
    kind = WarmUpTrainer if data.split.cut is None else ClockTrainer
    trainer = kind(config, method(config, data, base).to(config["device"]))
    name, base_name = method.__name__, config["base"]
    if trainer.model.has_meta_training:
        tell("Training", f"{name} on {data.is_old.sum()} old items as if they were new")
    trainer.meta_train(data)
    who = f"{base_name} alone" if method is NoWarmUp else f"{name}({base_name})"
    tell("Warming up", f"{data.split.is_new.sum()} new items with {who}")
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


def _peak_rss_mb() -> float:
    """Peak resident memory of this process in MiB."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
