"""Settings as they stand on a command line: ``--name=value``."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from recbole_mwuf.errors import UserError

CONFIG_FILES = "config_files"


def read_arguments(arguments: Iterable[str]) -> dict[str, str]:
    """``--name=value`` arguments as settings, values as text.

    Raises:
        UserError: for an argument of another form, or one that is given twice with two values.

    Examples:
        >>> read_arguments(["--base=DIN", "--load_col={'inter': ['user_id']}"])
        {'base': 'DIN', 'load_col': "{'inter': ['user_id']}"}
    """
    settings: dict[str, str] = {}
    given = list(arguments)
    for argument, following in zip(given, [*given[1:], ""]):
        name, equals, value = argument.partition("=")
        if not name.startswith("--") or not name[2:].isidentifier():
            raise UserError(f"'{argument}' is not a setting; {_way_out(name, value)}")
        if not value:
            meant = following if not equals and not following.startswith("-") else ""
            raise UserError(f"'{argument}' has no value; {_way_out(name, meant)}")
        if settings.setdefault(name[2:], value) != value:
            raise UserError(f"{name} is given twice: {settings[name[2:]]} and {value}")
    return settings


def _way_out(name: str, value: str) -> str:
    word = name.lstrip("-")
    is_name = word.isidentifier() and (value or word != name)
    return f"write --{word if is_name else 'NAME'}={value or 'VALUE'}"


def literal(text: str) -> object:
    """A text as the value it spells, as RecBole reads it, but literals only: nothing is run.

    Examples:
        >>> literal("[64, 64]"), literal("true"), literal("~"), literal("WideDeep")
        ([64, 64], True, None, 'WideDeep')
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text in ("~", "None", "null"):
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
