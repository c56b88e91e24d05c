"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Callable

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.errors import UserError
from recbole_mwuf.online import commands
from recbole_mwuf.quick_start import run

_USAGE = """usage: run_recbole_mwuf.py [--key=value ...]
       recbole-mwuf {warm,score,export} --help      (a trained model in production)

  --model=MWUF          a warm-up method, or a plain base model
  --base=WideDeep       the base model that a warm-up method works on
  --dataset=ml-100k     a data set under data_path, or one that RecBole can download
  --config_files="a.yaml b.yaml"

Every other setting of RecBole and of recbole-mwuf can be given in the same way; the defaults stand
in the properties folder."""


def main(arguments: list[str] | None = None) -> int:
    """The command line: a command of ``recbole_mwuf.online``, or ``--key=value`` settings of a run.

    A run prints the phase table.

    Returns:
        int: Exit status; 0 if the output was written, 2 for a mistake of the user's, 1 for any
        other failure, 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    online = bool(arguments) and arguments[0] in commands.COMMANDS
    if {"-h", "--help"} & set(arguments) and not online:
        print(_USAGE)
        return 0
    silence_recbole()
    if online:
        return exit_status(lambda: commands.run(arguments), arguments)
    return exit_status(
        lambda: print(run(config_file_list=check_arguments(arguments)).table()), arguments
    )


def exit_status(command: Callable[[], None], arguments: list[str]) -> int:
    """Run a command; tell what went wrong in a line, or with ``--state=DEBUG`` in full.

    Returns:
        int: Exit status, see :func:`main`.
    """
    debug = any(a.lower() == "--state=debug" for a in arguments)
    try:
        command()
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        print(f"error: {kind}{error}", file=sys.stderr)
        if not isinstance(error, UserError):
            print("(--state=DEBUG shows where it happened)", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1


def check_arguments(arguments: list[str]) -> list[str]:
    """Refuse what RecBole would silently ignore; returns the settings files."""
    files: list[str] = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if not name.startswith("--") or "=" not in argument:
            raise UserError(f"'{argument}' is not a setting; write --{name.lstrip('-')}=VALUE")
        if "=" in value:
            raise UserError(f"'{argument}': RecBole takes no '=' in a value; use --config_files")
        if name == "--config_files":
            files = value.split()
    return files
