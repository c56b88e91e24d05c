"""The command line: ``recbole-mwuf COMMAND ...``.

Options are read before torch and RecBole are loaded, so that help, the version and a mistake among
the options are told at once.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple

from recbole_mwuf import __version__
from recbole_mwuf.cli import options
from recbole_mwuf.cli.explain import paragraph
from recbole_mwuf.cli.status import exit_status, loading
from recbole_mwuf.errors import UserError


class Command(NamedTuple):
    """One of the program's commands.

    Attributes:
        module: Has ``main(options) -> exit status``; loaded when it is to run.
        options: ``(arguments, program) -> options``.
        about: What it does, for the usage message.
    """

    module: str
    options: Callable[[list[str], str], Namespace]
    about: str


COMMANDS = {
    "run": Command("recbole_mwuf.cli.run", options.run, "one run: a phase table"),
    "tune": Command("recbole_mwuf.cli.tune", options.tune, "search for good settings"),
    "experiment": Command(
        *("recbole_mwuf.cli.experiment", options.experiment),
        "the paper's tables and figures, or a grid of runs",
    ),
    "convert": Command(
        *("recbole_mwuf.cli.convert", options.convert),
        "published raw files to RecBole's atomic files",
    ),
    "warm": Command(
        *("recbole_mwuf.cli.online", options.warm),
        "learn from interactions, write item embeddings",
    ),
    "score": Command("recbole_mwuf.cli.online", options.score, "score pairs of user and item"),
    "export": Command("recbole_mwuf.cli.online", options.export, "write ONNX files for serving"),
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
    if arguments and arguments[0].isidentifier():
        return exit_status(lambda: _refuse(arguments[0], prog), arguments)
    return run_command("run", arguments, prog)


def run_command(name: str, arguments: list[str], prog: str) -> int:
    """Run one of :data:`COMMANDS`; arguments and exit status as in :func:`main`."""
    return exit_status(lambda: _run(name, arguments, prog), arguments)


def _run(name: str, arguments: list[str], prog: str) -> int:
    if "--version" in arguments:
        print(f"recbole-mwuf {__version__}")
        return 0
    names_a_model = any(a.startswith(("--model=", "--base=")) for a in arguments)
    if name == "run" and options.asks_for_help(arguments) and not names_a_model:
        print(_usage(prog.removesuffix(" run")))
        return 0
    command = COMMANDS[name]
    given = command.options(arguments, prog)
    with loading():
        module = importlib.import_module(command.module)
    return module.main(given)


def _refuse(name: str, prog: str) -> int:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"{prog} takes {', '.join(COMMANDS)}"
    raise UserError(f"there is no command '{name}'; {hint}")


def _usage(prog: str) -> str:
    commands = "\n".join(f"  {name:<12}{command.about}" for name, command in COMMANDS.items())
    more = paragraph(
        f"`{prog} COMMAND --help` explains a command, `{prog} --model=NAME --help` every setting "
        "of a model, its base and the run. All of them, and RecBole's, are given as --key=value."
    )
    return f"""usage: {prog} COMMAND ...
       {prog} [--key=value ...]    (the same as run)

{commands}

  --model=MWUF                     a warm-up method, or a plain base model
  --base=WideDeep                  the base model that a warm-up method works on
  --dataset=ml-100k                a data set under data_path, or one of RecBole's
  --config_files="a.yaml b.yaml"   settings from files

{more}"""
