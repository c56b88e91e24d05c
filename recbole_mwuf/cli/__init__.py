"""The command line: ``recbole-mwuf COMMAND ...``.

This module loads neither torch nor RecBole, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from recbole_mwuf import __version__
from recbole_mwuf.cli.status import exit_status
from recbole_mwuf.errors import UserError

# command -> module with a function main(arguments, prog), and what it does
COMMANDS = {
    "run": ("recbole_mwuf.cli.run", "one run: a phase table (what --key=value alone means)"),
    "tune": ("recbole_mwuf.cli.tune", "search for good settings"),
    "experiment": ("recbole_mwuf.cli.experiment", "the paper's tables and figures, or a grid"),
    "convert": ("recbole_mwuf.cli.convert", "published raw files to RecBole's atomic files"),
    "warm": ("recbole_mwuf.cli.online", "learn from interactions, write item embeddings"),
    "score": ("recbole_mwuf.cli.online", "score pairs of user and item"),
    "export": ("recbole_mwuf.cli.online", "write ONNX files for serving"),
}


def main(arguments: Sequence[str] | None = None, prog: str = "recbole-mwuf") -> int:
    """Run a command; without one, ``run``.

    Args:
        arguments: What follows the program's name; default: those of this process.
        prog: The program's name, for usage messages.

    Returns:
        int: Exit status; 0 if the output was written, 2 for a mistake of the user's, 1 for any
        other failure, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in COMMANDS:
        return run_command(arguments[0], arguments[1:], f"{prog} {arguments[0]}")
    if arguments and not arguments[0].startswith("-"):
        return exit_status(lambda: _unknown(arguments[0], prog), arguments)
    if "--version" in arguments:
        print(f"recbole-mwuf {__version__}")
        return 0
    if {"-h", "--help"} & set(arguments) and not any(a.startswith("--model=") for a in arguments):
        print(usage(prog))
        return 0
    return run_command("run", arguments, prog)


def run_command(name: str, arguments: list[str], prog: str) -> int:
    """Run one of :data:`COMMANDS`; returns its exit status."""
    module = importlib.import_module(COMMANDS[name][0])
    return module.main(arguments, prog)


def usage(prog: str) -> str:
    """What ``--help`` prints."""
    commands = "\n".join(f"  {name:<12}{meaning}" for name, (_, meaning) in COMMANDS.items())
    return f"""usage: {prog} COMMAND ...
       {prog} [--key=value ...]          (the same as `run`)

{commands}

  --model=MWUF          a warm-up method, or a plain base model
  --base=WideDeep       the base model that a warm-up method works on
  --dataset=ml-100k     a data set under data_path, or one that RecBole can download
  --config_files="a.yaml b.yaml"

`{prog} COMMAND --help` explains a command, `{prog} --model=NAME --help` the settings of a
model. Every setting of RecBole and of recbole-mwuf can be given as --key=value."""


def _unknown(name: str, prog: str) -> None:
    raise UserError(f"there is no command '{name}'; {prog} takes {', '.join(COMMANDS)}")
