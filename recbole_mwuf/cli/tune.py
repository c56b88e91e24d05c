"""``recbole-mwuf tune``: search for good settings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from recbole.utils import get_local_time

from recbole_mwuf.cli.status import exit_status
from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import Config, with_tuning_defaults
from recbole_mwuf.errors import UserError

if TYPE_CHECKING:
    from recbole_mwuf.experiment.tuner import Trial

_USAGE = """usage: {prog} [--key=value ...]

  --model=MWUF --base=WideDeep --dataset=ml-100k
  --params_file=my.hyper    the search space; default: that of the model
  --algo=bayes              exhaustive, bayes or random
  --max_evals=50            trials at most
  --output_file=best.yaml   the best configuration; every trial stands beside it, in best.csv

What is optimised and on which items: properties/tuning.yaml. Every other setting can be given as
in a single run."""


def main(arguments: list[str], prog: str) -> int:
    """Search for good settings; prints every trial and the best one."""
    if {"-h", "--help"} & set(arguments):
        print(_USAGE.format(prog=prog))
        return 0
    silence_recbole()
    return exit_status(lambda: _tune(arguments, prog), arguments)


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
    default = Path(config["checkpoint_dir"], f"hyper-{config.run_name}-{get_local_time()}.yaml")
    output = Path(config["output_file"] or default)
    with tempfile.TemporaryDirectory() as folder:
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
