"""``recbole-mwuf run``: one run, from settings to a phase table."""

from __future__ import annotations

from recbole_mwuf.cli.status import exit_status
from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import Config
from recbole_mwuf.quick_start import execute


def main(arguments: list[str], prog: str) -> int:
    """Do the run that ``--key=value`` arguments describe and print its table."""
    silence_recbole()
    return exit_status(lambda: print(execute(Config(arguments=arguments)).table()), arguments)
