"""What a setting is: its default, the values it takes and its meaning, each with one home.

Our own settings stand in ``properties/*.yaml``, one on a line: ``name: default  # (kind) meaning``.
A method or base of anyone's declares its settings in code: ``Setting(default, kind, meaning)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from recbole_mwuf import kinds
from recbole_mwuf.errors import UserError

_LINE = re.compile(r"^(?P<name>\w+):.*?\s# \((?P<kind>[^)]+)\) (?P<help>.*)$")
_MORE = re.compile(r"^\s+# (.*)$")


@dataclass(frozen=True)
class Setting:
    """A setting that a user may give as ``--name=value``.

    Attributes:
        default: What it is unless it is given; None may then always be given.
        kind: As :func:`recbole_mwuf.kinds.fits` takes it: ``bool``, ``float > 0``, the words
            ``full | init``, ``list of int >= 1``. ``, or ~`` at the end admits None.
        help: Its meaning, with the unit.

    Examples:
        >>> rate = Setting(0.01, "float > 0", "Step of the local update.")
        >>> rate.check("local_lr", 0.1)
        >>> rate.check("local_lr", -1)
        Traceback (most recent call last):
        recbole_mwuf.errors.UserError: local_lr is -1, but must be float > 0
        >>> Setting("all", "all | positive").refusal("none")
        'but must be all or positive'
    """

    default: Any
    kind: str
    help: str = field(default="", compare=False)

    @cached_property
    def _plain_kind(self) -> str:
        return self.kind.removesuffix(", or ~")

    @property
    def takes_none(self) -> bool:
        """Whether None (``~``) is a value."""
        return self.default is None or self.kind.endswith(", or ~")

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes; empty if it is no choice of words."""
        return kinds.choices(self._plain_kind)

    def check(self, name: str, value: object) -> None:
        """Refuse a value of another type or out of range.

        Raises:
            UserError: naming the setting, the value and what would work.
        """
        if refusal := self.refusal(value):
            raise UserError(f"{name} is {value!r}, {refusal}")

    def refusal(self, value: object) -> str:
        """Why a value cannot be, empty if it can."""
        if value is None:
            return "" if self.takes_none else f"but must be {self._wanted()}"
        return "" if kinds.fits(self._plain_kind, value) else f"but must be {self._wanted()}"

    def _wanted(self) -> str:
        return kinds.wanted(self._plain_kind) + (" or ~ (none)" if self.takes_none else "")


def properties_dir() -> Path:
    """The folder of default settings: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "properties"
    return inside if inside.is_dir() else package.parent / "properties"


def read_properties(name: str, loader: type = yaml.SafeLoader) -> dict:
    """The content of a file of defaults, such as ``overall`` or ``model/MWUF``; {} if none."""
    return deepcopy(_read(properties_dir() / f"{name}.yaml", loader))


@cache
def _read(file: Path, loader: type) -> dict:
    return (file.is_file() and yaml.load(file.read_text(encoding="utf-8"), Loader=loader)) or {}


def read_search_space(name: str) -> str | None:
    """The search space of ``properties/hyper/NAME.hyper``, in RecBole's format; None if none."""
    file = properties_dir() / "hyper" / f"{name}.hyper"
    return file.read_text(encoding="utf-8") if file.is_file() else None


@cache
def read_settings(name: str) -> Mapping[str, Setting]:
    """The settings that a file of defaults declares, by name; empty if there is no such file."""
    file = properties_dir() / f"{name}.yaml"
    return parse_settings(file.read_text(encoding="utf-8")) if file.is_file() else {}


def parse_settings(text: str) -> dict[str, Setting]:
    """Settings from YAML whose comments say what they are; lines without a kind are left out.

    Examples:
        >>> parse_settings("epochs: 1  # (int >= 1) Passes over\\n          # the samples.")
        {'epochs': Setting(default=1, kind='int >= 1', help='Passes over the samples.')}
    """
    defaults = yaml.safe_load(text) or {}
    declared: dict[str, tuple[str, str]] = {}
    name = None
    for line in text.splitlines():
        if found := _LINE.match(line):
            name = found["name"]
            declared[name] = (found["kind"], found["help"])
        elif name is not None and (more := _MORE.match(line)):
            kind, meaning = declared[name]
            declared[name] = (kind, f"{meaning} {more[1]}")
        else:
            name = None
    return {n: Setting(defaults[n], kind, meaning) for n, (kind, meaning) in declared.items()}
