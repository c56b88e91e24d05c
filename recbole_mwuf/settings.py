"""What a setting is: its default, the values it takes and its meaning, each with one home.

Our own settings stand in ``properties/*.yaml``, one on a line: ``name: default  # (kind) meaning``.
A method or base of anyone's declares its settings in code: ``Setting(default, kind, meaning)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from recbole_mwuf.errors import UserError

_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "dict": (dict,),
    "list": (list, tuple),
}
_BOUNDED = re.compile(
    r"(?:(?P<low>[-\d.e]+) (?P<from><=?) )?(?P<type>(?:list of )?(?:int|float))"
    r"(?: (?P<to><=?|>=?) (?P<high>[-\d.e]+))?"
)
_LINE = re.compile(r"^(?P<name>\w+):.*?\s# \((?P<kind>[^)]+)\) (?P<help>.*)$")
_MORE = re.compile(r"^\s+# (.*)$")


@dataclass(frozen=True)
class Setting:
    """A setting that a user may give as ``--name=value``.

    Attributes:
        default: What it is unless it is given; None may then always be given.
        kind: ``bool``, ``str``, ``dict``, ``list``; ``int``, ``float`` or ``list of int`` with
            bounds, such as ``int >= 1``, ``float > 0``, ``0 <= float < 1``; or the words it takes:
            ``full | init``. ``, or ~`` at the end admits None.
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
        return tuple(self._plain_kind.split(" | ")) if " | " in self._plain_kind else ()

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
        fits = value in self.choices if self.choices else self._fits(value)
        return "" if fits else f"but must be {self._wanted()}"

    def _wanted(self) -> str:
        wanted = " or ".join(self.choices) if self.choices else self._plain_kind
        wanted = "True or False" if wanted == "bool" else wanted
        return wanted + (" or ~ (none)" if self.takes_none else "")

    def _fits(self, value: object) -> bool:
        found = _BOUNDED.fullmatch(self._plain_kind)
        if found is None:
            if self._plain_kind not in _TYPES:
                raise ValueError(f"no kind of setting: {self.kind!r}")
            return isinstance(value, _TYPES[self._plain_kind])
        kind = found["type"]
        if kind.startswith("list of "):
            if not isinstance(value, (list, tuple)):
                return False
            return all(_number_fits(item, kind[8:], found) for item in value)
        return _number_fits(value, kind, found)


def _number_fits(value: object, kind: str, found: re.Match) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if not isinstance(value, _TYPES[kind]) or not math.isfinite(value):
        return False
    bounds = [(found["high"], found["to"])]
    if found["low"]:  # `0 < float` reads `float > 0`
        bounds.append((found["low"], found["from"].replace("<", ">")))
    tests = {
        "<": lambda bound: value < bound,
        "<=": lambda bound: value <= bound,
        ">": lambda bound: value > bound,
        ">=": lambda bound: value >= bound,
    }
    return all(tests[sign](float(bound)) for bound, sign in bounds if bound)


def properties_dir() -> Path:
    """The folder of default settings: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "properties"
    return inside if inside.is_dir() else package.parent / "properties"


def read_properties(name: str, loader: type = yaml.SafeLoader) -> dict:
    """The content of a file of defaults, such as ``overall`` or ``model/MWUF``; {} if none."""
    file = properties_dir() / f"{name}.yaml"
    if not file.is_file():
        return {}
    return yaml.load(file.read_text(encoding="utf-8"), Loader=loader) or {}


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
