"""Does what is predicted with probability p happen so often? Reliability of new items' scores.

    python examples/calibration.py --data_path dataset --dataset ml-1m --output docs/calibration

Trains a base and scores the new items of every phase with the base, MWUF and KalmanWarmUp, with
and without its probit correction. Writes the bins as .csv and a reliability diagram as .png, and
prints the expected calibration error of each phase (the metric ``ECE``).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from recbole.model.abstract_recommender import AbstractRecommender

from recbole_mwuf import Config
from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.data import PHASES, ColdStartDataset, SetLoader
from recbole_mwuf.data.split import SETS
from recbole_mwuf.evaluator.calibration import reliability
from recbole_mwuf.model.base import create_base
from recbole_mwuf.registry import get_method
from recbole_mwuf.trainer import WarmUpTrainer, pretrain_base, seed_stage
from recbole_mwuf.trainer.scoring import Scored, score_rows

BASE = "WideDeep"
RUNS = {
    "base": (BASE, {}),
    "MWUF": ("MWUF", {}),
    "KalmanWarmUp": ("KalmanWarmUp", {}),
    "KalmanWarmUp, probit": ("KalmanWarmUp", {"kalman_probit": True}),
}


def trained_base(config: Config, data: ColdStartDataset) -> AbstractRecommender:
    """Step 1."""
    seed_stage(config)
    plain = get_method(BASE)(config, data, create_base(config, data))
    pretrain_base(config, plain, data)
    return plain.base


def scored_phases(
    config: Config, data: ColdStartDataset, base: AbstractRecommender
) -> Iterator[tuple[str, Scored]]:
    """Steps 2 to 6: each phase and its next set, scored before it is learned from."""
    seed_stage(config)
    model = get_method(config["model"])(config, data, base)
    trainer = WarmUpTrainer(config, model)
    trainer.meta_train(data)
    for phase, next_set in zip(PHASES, SETS[1:]):
        if phase == PHASES[0]:
            trainer.start_new_items(data)
        else:
            trainer.consume(data, phase)
        loader = SetLoader(data, next_set, config["eval_batch_size"], phase)
        yield phase, score_rows(model, data, loader)


def plot(bins: pd.DataFrame, file: Path) -> None:
    """A panel for each phase; lines that can be told apart without colour."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 4, figsize=(12, 3.4), sharey=True, layout="constrained")
    styles = dict(zip(RUNS, zip(("0.55", "0.35", "0.0", "0.0"), ("--", "-.", "-", ":"), "sv^o")))
    for axes, (phase, of_phase) in zip(panels, bins.groupby("phase", sort=False)):
        axes.plot([0, 1], [0, 1], color="0.85")
        for name, part in of_phase.groupby("method", sort=False):
            grey, line, marker = styles[name]
            style = {"color": grey, "ls": line, "marker": marker, "ms": 4, "label": name}
            axes.plot(part["predicted"], part["observed"], **style)
        axes.set_title(str(phase).replace("_", "-"))
        axes.set_xlabel("predicted")
    panels[0].set_ylabel("share of positive samples")
    panels[-1].legend(frameon=False, loc="lower right")
    figure.savefig(file, dpi=120)


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_path", help="folder of the data set's folder")
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--output", type=Path, required=True, help="without suffix")
    parser.add_argument("--seed", type=int, default=2021)
    options = parser.parse_args()
    silence_recbole()
    settings = {"seed": options.seed, "state": "WARNING", "show_progress": False}
    if options.data_path:
        settings["data_path"] = options.data_path
    data = base = None
    parts = []
    for name, (method, own) in RUNS.items():
        config = Config(method, options.dataset, config_dict={**settings, **own}, base=BASE)
        if data is None or base is None:
            data = ColdStartDataset(config)
            base = trained_base(config, data)
        for phase, scored in scored_phases(config, data, base):
            bins = reliability(*scored.arrays("scores", "labels"))
            parts.append(pd.DataFrame({"method": name, "phase": phase, **bins}))
    bins = pd.concat(parts)
    bins.round(4).to_csv(options.output.with_suffix(".csv"), index=False)
    plot(bins, options.output.with_suffix(".png"))
    distance = (bins["observed"] - bins["predicted"]).abs() * bins["samples"]
    sums = bins.assign(distance=distance).groupby(["method", "phase"], sort=False).sum()
    print((sums["distance"] / sums["samples"]).unstack(sort=False).round(4).to_string())


if __name__ == "__main__":
    main()
