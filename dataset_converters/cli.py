"""The command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dataset_converters.errors import ConversionError
from dataset_converters.pipeline import READERS, Options, convert


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """The options, one sub-command for every data set."""
    parser = _Parser(
        prog=prog or "python -m dataset_converters",
        description="Turn published data sets into RecBole atomic files. See docs/datasets.md.",
    )
    commands = parser.add_subparsers(dest="converter", required=True, metavar="DATASET")
    for name in READERS:
        command = commands.add_parser(name, help=f"convert {name}")
        many = name == "cikm2019"
        command.add_argument(
            "--input",
            type=Path,
            nargs="+" if many else 1,
            required=True,
            help="folder or archive as downloaded" + (", one for every round" if many else ""),
        )
        command.add_argument(
            "--output",
            type=Path,
            required=True,
            help="folder to write; the data set is called like it, e.g. dataset/ml-1m",
        )
        command.add_argument(
            "--overwrite", action="store_true", help="replace an earlier output of a converter"
        )
        command.add_argument(
            "--on_error",
            choices=("stop", "skip"),
            default="stop",
            help="at a malformed row: stop (default), or skip and count it",
        )
        command.add_argument(
            "--max_errors",
            type=count,
            default=1000,
            help="with --on_error skip: stop all the same after so many rows (default: 1000)",
        )
        command.add_argument(
            "--drop_duplicates",
            action="store_true",
            help="leave out interactions that are exact copies of an earlier one",
        )
        command.add_argument(
            "--implicit",
            action="store_true",
            help="keep positive interactions only, without a column for the label or rating",
        )
        command.add_argument(
            "--min_item_count",
            type=count,
            help="leave out items with fewer interactions than this "
            "(default: 0 for movielens; 3K + 1, what takes part in a run, for the others)",
        )
        command.add_argument("--old_item_threshold", type=count, help="N (default: the data set's)")
        command.add_argument("--phase_size", type=count, help="K (default: the data set's)")
        if many:
            command.add_argument(
                "--label",
                choices=("per_row", "per_pair"),
                default="per_row",
                help="1 for a row that buys (default), or one row for each user and item: "
                "1 if the user ever bought it",
            )
    return parser


def count(text: str) -> int:
    """A whole number from 0, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 0")
    return int(text)


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; None: those of the process.
        prog: The program's name, for usage messages.

    Returns:
        int: Exit status; 0 if the output was written, 2 if the input or an option is wrong, 1 for
        any other failure, 130 after Ctrl-C.
    """
    values = vars(build_parser(prog).parse_args(arguments))
    values["skip_bad_rows"] = values.pop("on_error") == "skip"
    try:
        report = convert(Options(**values))
    except ConversionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}; nothing was written to {values['output']}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # where the caller has not installed dataset_converters.signals
        print("interrupted", file=sys.stderr)
        return 130
    print(report.as_text())
    return 0
