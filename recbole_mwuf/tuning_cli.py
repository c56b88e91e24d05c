"""The command line of the tuner."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from recbole.utils import get_local_time

from recbole_mwuf.cli import check_arguments, exit_status
from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import Config, with_tuning_defaults
from recbole_mwuf.errors import UserError

_USAGE = """usage: run_hyper.py [--key=value ...]

  --model=MWUF --base=WideDeep --dataset=ml-100k
  --params_file=my.hyper    the search space; default: that of the model in properties/hyper/
  --algo=bayes              exhaustive, bayes or random
  --max_evals=50            trials at most
  --output_file=best.yaml   the best configuration; every trial stands beside it, in best.csv

What is optimised and on which items: properties/tuning.yaml. Every other setting can be given as
in run_recbole_mwuf.py."""


def main(arguments: list[str] | None = None) -> int:
    """Search for good settings; prints every trial and the best one.

    Returns:
        int: Exit status, as of :func:`recbole_mwuf.cli.main`.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if {"-h", "--help"} & set(arguments):
        print(_USAGE)
        return 0
    silence_recbole()
    return exit_status(lambda: _tune(check_arguments(arguments)), arguments)


def _tune(config_files: list[str]) -> None:
    try:
        from recbole_mwuf import tuning
    except ImportError as error:
        if error.name != "hyperopt":
            raise
        raise UserError("run_hyper.py needs hyperopt: pip install hyperopt") from error
    config = Config(config_file_list=with_tuning_defaults(config_files))
    space = tuning.read_space(config["params_file"] or tuning.default_space(config["model"]))
    default = Path(config["checkpoint_dir"], f"hyper-{config.run_name}-{get_local_time()}.yaml")
    output = Path(config["output_file"] or default)
    with tempfile.TemporaryDirectory() as folder:
        bench = tuning.Bench(Path(folder))
        tuner = tuning.Tuner(bench, space, config, config_files, _show)
        tuner.run()
    tuning.save_table(output.with_suffix(".csv"), tuner)
    tuning.save_best(output, tuner, config)
    print("best:")
    _show(tuner.best)
    print(f"saved as {output}")


def _show(trial) -> None:
    params = " ".join(f"{name}={value}" for name, value in trial.params.items())
    print(f"{trial.score:.6f}  {params or 'default'}", flush=True)
