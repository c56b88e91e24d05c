"""Settings as text for a terminal. Loads neither torch nor RecBole."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping

from recbole_mwuf.settings import Setting

_COLUMN = 30  # where the meaning begins


def width() -> int:
    """Columns of the terminal, at most 100: longer lines are hard to read."""
    return min(shutil.get_terminal_size().columns, 100)


def paragraph(text: str) -> str:
    """Text wrapped to the terminal."""
    return textwrap.fill(text, width(), break_on_hyphens=False)


def explain(settings: Mapping[str, Setting]) -> str:
    """Settings with their default, their kind and their meaning, wrapped to the terminal."""
    return "\n".join(_explain(name, setting) for name, setting in settings.items())


def as_argument(name: str, value: object) -> str:
    """A setting as it is given, such as ``--epochs=3``; None is ``~``."""
    return f"--{name}={'~' if value is None else value}"


def _explain(name: str, setting: Setting) -> str:
    head = "  " + as_argument(name, setting.default)
    indent = " " * _COLUMN
    meaning = textwrap.fill(
        f"({setting.kind}) {setting.help}",
        max(width(), _COLUMN + 20),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    fits = len(head) <= _COLUMN - 2
    return head.ljust(_COLUMN) + meaning.lstrip() if fits else f"{head}\n{meaning}"
