"""``recbole-mwuf tune``: search for good settings."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import Config, with_tuning_defaults
from recbole_mwuf.errors import UserError
from recbole_mwuf.output_files import reserved_ending

if TYPE_CHECKING:
    from recbole_mwuf.experiment.tuner import Trial


def main(options: Namespace) -> int:
    """Search for good settings; prints every trial and the best one."""
    silence_recbole()
    _tune(options.arguments, options.prog)
    return 0


def _tune(arguments: list[str], prog: str) -> None:
    try:
        from recbole_mwuf.experiment import space
        from recbole_mwuf.experiment import tuner as tuning
    except ImportError as error:
        if error.name != "hyperopt":
            raise
        raise UserError(f"{prog} needs hyperopt: pip install hyperopt") from error
    config = Config(config_file_list=with_tuning_defaults(None), arguments=arguments)
    searched = space.space_of(config)
    with tempfile.TemporaryDirectory() as folder, reserved_ending(config) as ending:
        default = Path(config["checkpoint_dir"], f"hyper-{config.run_name}-{ending}.yaml")
        output = Path(config["output_file"] or default)
        bench = tuning.Bench(Path(folder), arguments)
        tuner = tuning.Tuner(bench, searched, config, [], _show)
        tuner.run()
        tuning.save_table(output.with_suffix(".csv"), tuner)
        tuning.save_best(output, tuner, config)
    print("best:")
    _show(tuner.best)
    print(f"saved as {output}")


def _show(trial: Trial) -> None:
    params = " ".join(f"{name}={value}" for name, value in trial.params.items())
    print(f"{trial.score:.6f}  {params or 'default'}", flush=True)
