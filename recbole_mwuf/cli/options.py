"""What every command takes on its command line. Loads neither torch nor RecBole."""

from __future__ import annotations

import argparse
import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any, NoReturn

from recbole_mwuf.cli.explain import explain
from recbole_mwuf.errors import UserError, count_argument
from recbole_mwuf.settings import read_properties, read_settings

HELP = {"-h", "--help"}

_TUNE = """usage: {prog} [--key=value ...]

Search for good settings of a model, on new items that no report contains. Prints every trial and
writes the best configuration for --config_files, with all trials in a .csv beside it.

  {prog} --model=MWUF --base=WideDeep --dataset=ml-100k --max_evals=20

Settings of the search; every other one can be given as in a single run:
"""


class Parser(argparse.ArgumentParser):
    """argparse that takes no abbreviations and tells a mistake in one line."""

    def __init__(self, **options: Any):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Refuse an option.

        Raises:
            UserError: always.
        """
        raise UserError(f"{message}; see {self.prog} --help")


def asks_for_help(arguments: list[str]) -> bool:
    """Whether help is wanted, not a run."""
    return not HELP.isdisjoint(arguments)


def run(arguments: list[str], prog: str) -> Namespace:
    """Options of ``run``: settings, and whether they are to be explained."""
    given = [argument for argument in arguments if argument not in HELP]
    return Namespace(prog=prog, arguments=given, help=asks_for_help(arguments))


def tune(arguments: list[str], prog: str) -> Namespace:
    """Options of ``tune``: settings; its help has those of ``properties/tuning.yaml``."""
    if asks_for_help(arguments):
        print(_TUNE.format(prog=prog) + explain(read_settings("tuning")))
        raise SystemExit(0)
    return Namespace(prog=prog, arguments=arguments)


def convert(arguments: list[str], prog: str) -> Namespace:
    """Options of ``convert``, which reads them itself."""
    return Namespace(prog=prog, arguments=arguments)


def experiment(arguments: list[str], prog: str) -> Namespace:
    """Options of ``experiment``: its own, and under ``arguments`` the settings of all runs."""
    parser = Parser(
        prog=prog,
        description="Gather the paper's tables and figures, or a grid of one's own. Finished runs "
        "are kept: the same command goes on after an interruption.",
        epilog="Every other --key=value is a setting of all runs, as in a single run.",
    )
    presets = ", ".join(read_properties("experiment"))
    parser.add_argument("--preset", nargs="+", default=[], metavar="NAME", help=presets)
    parser.add_argument("--models", nargs="+", default=[], metavar="NAME", help="of one's own grid")
    parser.add_argument("--bases", nargs="+", default=[None], metavar="NAME", help="of its methods")
    parser.add_argument(
        "--dataset",
        "--datasets",
        nargs="+",
        default=[None],
        dest="datasets",
        metavar="NAME",
        help="a grid and a report for each",
    )
    parser.add_argument(
        "--runs", type=count_argument, default=1, help="seeds, from the configured one on"
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="these seeds instead")
    parser.add_argument("--workers", type=count_argument, default=1, help="runs at a time")
    parser.add_argument("--ray", metavar="ADDRESS", help="a Ray cluster, or `local` for a new one")
    parser.add_argument("--report_only", action="store_true", help="only report what is there")
    parser.add_argument("--output", type=Path, help="folder (default: results/DATASET)")
    parser.add_argument("--config_files", default="", help='settings files: "a.yaml b.yaml"')
    options, more = parser.parse_known_args(arguments)
    options.arguments = more
    python = ["python"] if prog.endswith(".py") else []
    options.command = shlex.join([*python, *prog.split(), *arguments])
    return options


def warm(arguments: list[str], prog: str) -> Namespace:
    """Options of ``warm``."""
    parser = _online(prog, "warm", "Learn from interactions and write item embeddings.")
    parser.add_argument("--output", required=True, help="embeddings: a .parquet, .npz or .csv file")
    parser.add_argument("--items", help="CSV: item token and raw features, columns as in training")
    parser.add_argument("--interactions", help="CSV: user, item, label, time, maybe event_id")
    parser.add_argument("--networks", action="store_true", help="let the meta networks learn too")
    parser.add_argument("--promote", action="store_true", help="then hand over items beyond N")
    parser.add_argument("--batch_size", type=count_argument, help="interactions observed together")
    parser.add_argument("--kind", choices=("warm", "cold"), default="warm")
    parser.add_argument("--which", choices=("new", "all"), default="new", help="items written")
    parser.add_argument("--save", help="checkpoint to go on from next time")
    return parser.parse_args(arguments)


def score(arguments: list[str], prog: str) -> Namespace:
    """Options of ``score``."""
    parser = _online(prog, "score", "Score pairs of user and item.")
    parser.add_argument("--output", required=True, help="CSV: the pairs with a column score")
    parser.add_argument("--pairs", required=True, help="CSV: user and item, columns as in training")
    parser.add_argument("--uncertainty", action="store_true", help="a column variance too")
    ways = ("thompson", "ucb")
    parser.add_argument("--explore", choices=ways, help="score what is not well known higher")
    parser.add_argument("--c", type=float, default=1.0, help="standard deviations, for ucb")
    parser.add_argument("--seed", type=int, help="of thompson's draw, one for 65,536 pairs")
    return parser.parse_args(arguments)


def export(arguments: list[str], prog: str) -> Namespace:
    """Options of ``export``."""
    parser = _online(prog, "export", "Write ONNX files for serving.")
    content = "folder for warm_up.onnx, scorer.onnx and vocabulary.json"
    parser.add_argument("--output", required=True, help=content)
    return parser.parse_args(arguments)


def _online(prog: str, command: str, about: str) -> Parser:
    """What the commands on a checkpoint have in common."""
    parser = Parser(prog=prog, description=about)
    parser.set_defaults(command=command)
    parser.add_argument("--checkpoint", required=True, help="a run's, or one that --save wrote")
    parser.add_argument("--state", default="INFO", help="DEBUG shows where a failure happened")
    return parser
