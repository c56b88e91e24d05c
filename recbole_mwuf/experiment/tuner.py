"""Search for good settings: RecBole's HyperTuning on trials that reuse data and base."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import hyperopt
import numpy as np
import yaml
from recbole.trainer import HyperTuning

from recbole_mwuf.config import Config, tuning_defaults, with_tuning_defaults
from recbole_mwuf.data import ColdStartDataset, load_unless_kept
from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.keys import base_key
from recbole_mwuf.experiment.space import Space, expressions_of
from recbole_mwuf.experiment.trial import objective_function
from recbole_mwuf.files import atomic_write, plain_values


class Trial(NamedTuple):
    """A configuration and its score."""

    params: dict
    score: float


class Bench:
    """Executes trials; data and pre-trained bases are kept for the next one that fits them.

    It is an objective function as RecBole's HyperTuning calls it.

    Args:
        folder: Where pre-trained bases are kept during the search.
        arguments: ``--name=value`` texts that are the same for all trials.
    """

    def __init__(self, folder: Path, arguments: list[str]):
        self.folder, self.arguments = folder, arguments
        self._loaded: list[ColdStartDataset] = []

    def __call__(self, params: dict, config_files: list[str] | None = None) -> dict:
        files = with_tuning_defaults(config_files)
        config = Config(config_file_list=files, config_dict=params, arguments=self.arguments)
        load_unless_kept(config, self._loaded)
        key = base_key(plain_values(config.final_config_dict))
        base_file = self.folder / f"{key}.pth" if key is not None else None
        data = self._loaded[0]
        return objective_function(params, config_files, False, data, base_file, self.arguments)


class Tuner(HyperTuning):
    """RecBole's HyperTuning with a seed, a working exhaustive search and the default as rival.

    Args:
        objective_function: ``(params, config files) -> result``, as RecBole defines it.
        space: From :func:`read_space`.
        config: Uses ``algo``, ``max_evals``, ``early_stop``, ``seed`` of ``tuning.yaml``.
        config_files: The user's settings files.
        report: Called after every trial.

    Attributes:
        trials: Every trial so far, the default configuration first.

    Raises:
        UserError: if the algorithm is unknown or does not suit the space.
    """

    def __init__(
        self,
        objective_function: Callable[[dict, list[str] | None], dict],
        space: Space,
        config: Config,
        config_files: list[str],
        report: Callable[[Trial], None],
    ):
        _check(space, config)
        by_kind: dict[str, dict] = {}
        for name, (kind, values) in space.items():
            by_kind.setdefault(kind, {})[name] = values
        super().__init__(
            objective_function,
            params_dict=by_kind,
            fixed_config_file_list=config_files,
            algo=config["algo"],
            early_stop=config["early_stop"],
        )
        self.space = expressions_of(space)
        self.max_evals = config["max_evals"]
        if config["algo"] == "bayes":  # hyperopt draws 20 at random first: all of a short search
            startup = min(20, max(1, self.max_evals // 3))
            self.algo = partial(hyperopt.tpe.suggest, n_startup_jobs=startup)
        self.grid = {name: values for name, (_, values) in space.items()}
        self.is_exhaustive = config["algo"] == "exhaustive"
        self.seed = config["seed"]
        self.report = report
        self.bigger = True
        self.trials: list[Trial] = []

    @property
    def best(self) -> Trial:
        """The best trial, the earliest of equal ones: the default, unless another is better."""
        sign = 1 if self.bigger else -1
        return max(self.trials, key=lambda trial: sign * trial.score)

    def trial(self, params: dict) -> dict:
        """Run a configuration; returns what hyperopt asks of it."""
        params = plain_values(params)  # hyperopt makes tuples of lists
        result = self.objective_function(params, self.fixed_config_file_list)
        self.bigger = result["valid_score_bigger"]
        self.trials.append(Trial(params, result["best_valid_score"]))
        self.report(self.trials[-1])
        sign = -1 if self.bigger else 1
        return {"loss": sign * result["best_valid_score"], "status": hyperopt.STATUS_OK}

    def run(self) -> None:
        """Run the default configuration, then at most ``max_evals`` others."""
        self.trial({})
        if self.is_exhaustive:
            points = itertools.product(*self.grid.values())
            for values in itertools.islice(points, self.max_evals):
                self.trial(dict(zip(self.grid, values)))
            return
        hyperopt.fmin(
            self.trial,
            self.space,
            algo=self.algo,
            max_evals=self.max_evals,
            early_stop_fn=self.early_stop_fn,
            rstate=np.random.default_rng(self.seed),
            show_progressbar=False,
        )


def _check(space: Space, config: Config) -> None:
    """Refuse a search that could not work."""
    algo = config["algo"]
    continuous = [name for name, (kind, _) in space.items() if kind != "choice"]
    if algo == "exhaustive" and continuous:
        raise UserError(
            f"algo=exhaustive tries all values, but {', '.join(continuous)} may take any in a "
            "range; use algo=bayes or algo=random, or name values with 'choice'"
        )
    both = sorted(set(space) & set(config.cmd_config_dict))
    if both:
        raise UserError(f"{', '.join(both)}: given on the command line and searched as well")


def save_best(path: Path, tuner: Tuner, config: Config) -> None:
    """Write the best configuration as YAML that ``config_files`` takes.

    It holds what the user gave and what was found, and ``validation_items``: a run with it leaves
    out the items that were tuned on.
    """
    tuning = set(tuning_defaults()) - {"validation_items"}
    given = {**tuning_defaults(), **config.external_config_dict}
    shared = {n: v for n, v in given.items() if n not in tuning and n != "config_files"}
    names = {name: config[name] for name in ("model", "base", "dataset")}
    text = yaml.safe_dump(plain_values({**names, **shared, **tuner.best.params}), sort_keys=False)
    score, default = tuner.best.score, tuner.trials[0].score
    with atomic_write(path) as part:
        comment = f"# {score:.6f} on the held-out items; the default configuration: {default:.6f}\n"
        part.write_text(comment + text, encoding="utf-8")


def save_table(path: Path, tuner: Tuner) -> None:
    """Write every trial as CSV: its score and its settings; the default's are empty."""
    names = list(tuner.grid)
    with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["score", *names])
        writer.writerows(
            [t.score, *(t.params.get(name, "") for name in names)] for t in tuner.trials
        )
