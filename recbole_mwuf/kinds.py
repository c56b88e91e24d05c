"""Kinds of values: what a setting may be, as a text that is shown to the user as it stands."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable

_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "dict": (dict,),
    "list": (list, tuple),
}
_BOUNDED = re.compile(
    r"(?:(?P<low>[-\d.e]+) (?P<from><=?) )?(?P<type>int|float)"
    r"(?: (?P<to><=?|>=?) (?P<high>[-\d.e]+))?"
)
_INTERVAL = re.compile(r"[\[(]([^,;]+),([^,;]+)[\])]")  # as RecBole's filters take it
_LEVELS = ("debug", "info", "warning", "error", "critical")


def choices(kind: str) -> tuple[str, ...]:
    """The words that a kind consists of; empty if it is no choice of words."""
    return tuple(kind.split(" | ")) if " | " in kind and not _container(kind) else ()


def wanted(kind: str) -> str:
    """A kind in words for the user.

    Examples:
        >>> wanted("full | init"), wanted("0 <= float < 1")
        ('full or init', '0 <= float < 1')
        >>> wanted("dict of interval")
        'dict of intervals such as [1,100] or (0,inf)'
    """
    if container := _container(kind):
        return f"{container} of {wanted(kind.removeprefix(container + ' of '))}"
    if kind in _NAMED:
        return _NAMED[kind][1]
    return " or ".join(choices(kind)) or kind


def fits(kind: str, value: object) -> bool:
    """Whether a value is of a kind.

    Args:
        kind: ``bool``, ``str`` (not empty), ``dict``, ``list``; ``int`` or ``float`` with bounds:
            ``int >= 1``, ``0 <= float < 1``; the words it takes: ``full | init``; one of
            the names below, such as ``interval``; ``list of``, ``non-empty list of`` or
            ``dict of`` such kinds.
        value: Anything.

    Raises:
        ValueError: if there is no such kind.

    Examples:
        >>> fits("float > 0", float("nan")), fits("int >= 1", True), fits("list of str", ["a"])
        (False, False, True)
        >>> fits("dict of interval", {"rating": "[1,5]"}), fits("interval", "(5,1)")
        (True, False)
    """
    if container := _container(kind):
        return _all_fit(container, kind.removeprefix(container + " of "), value)
    if words := choices(kind):
        return isinstance(value, str) and value in words
    if kind in _NAMED:
        return _NAMED[kind][0](value)
    if kind in ("dict", "list"):
        return isinstance(value, _TYPES[kind])
    if found := _BOUNDED.fullmatch(kind):
        return _is_within(value, found)
    raise ValueError(f"no kind of setting: {kind!r}")


def _container(kind: str) -> str:
    for container in ("non-empty list", "list", "dict"):
        if kind.startswith(container + " of "):
            return container
    return ""


def _all_fit(container: str, kind: str, value: object) -> bool:
    if isinstance(value, dict):
        names = all(isinstance(name, str) for name in value)
        return container == "dict" and names and all(fits(kind, v) for v in value.values())
    if container == "dict" or not isinstance(value, (list, tuple)):
        return False
    return bool(value or container == "list") and all(fits(kind, item) for item in value)


def _is_within(value: object, found: re.Match) -> bool:
    if isinstance(value, bool) or not isinstance(value, _TYPES[found["type"]]):
        return False
    assert isinstance(value, (int, float))  # as the types say
    if isinstance(value, float) and not math.isfinite(value):
        return False
    bounds = [(found["high"], found["to"])]
    if found["low"]:  # `0 < float` reads `float > 0`
        bounds.append((found["low"], found["from"].replace("<", ">")))
    tests: dict[str, Callable[[float], bool]] = {
        "<": lambda bound: value < bound,
        "<=": lambda bound: value <= bound,
        ">": lambda bound: value > bound,
        ">=": lambda bound: value >= bound,
    }
    return all(tests[sign](float(bound)) for bound, sign in bounds if bound)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_interval(value: object) -> bool:
    found = [_INTERVAL.fullmatch(part.strip()) for part in str(value).split(";")]
    try:
        ends = [(float(part[1]), float(part[2])) for part in found if part]
    except ValueError:
        return False
    return isinstance(value, str) and all(found) and all(low <= high for low, high in ends)


def _is_columns(value: object) -> bool:
    return value == "*" or fits("non-empty list of str", value)


def _is_norm(value: object) -> bool:
    positive = fits("dict of float > 0", value)
    return positive and {"max_norm"} <= set(value) <= {"max_norm", "norm_type"}  # type: ignore


def _is_bucketing(value: object) -> bool:
    if not isinstance(value, dict) or value.get("method") not in ("ED", "LD"):
        return False
    return value["method"] == "LD" or fits("int >= 1", value.get("bucket"))


def _is_sampling(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    known = {"sample_num", "alpha", "dynamic", "candidate_num"}
    distribution = value.get("distribution", "uniform")
    return set(value) <= {"distribution", *known} and (
        distribution is None or distribution in ("uniform", "popularity", "none")
    )


def _is_gpus(value: object) -> bool:
    if value == "" or fits("int >= 0", value):
        return True
    if isinstance(value, str):
        return all(number.strip().isdecimal() for number in value.split(","))
    return isinstance(value, tuple) and fits("non-empty list of int >= 0", value)


def _is_encoding(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(codecs.lookup(value))
    except LookupError:
        return False


_NAMED: dict[str, tuple[Callable[[object], bool], str]] = {
    "str": (_is_name, "a text"),
    "text": (lambda value: isinstance(value, str), "a text, which may be empty"),
    "interval": (_is_interval, "intervals such as [1,100] or (0,inf)"),
    "columns": (_is_columns, "lists of names, or '*' for all columns"),
    "values": (
        lambda value: _is_interval(value) or (isinstance(value, (list, tuple)) and bool(value)),
        "an interval such as '[1,5]' for numbers, a list for tokens",
    ),
    "norm": (_is_norm, "such as {'max_norm': 5, 'norm_type': 2}"),
    "bucketing": (_is_bucketing, "{'method': 'ED', 'bucket': 10} or {'method': 'LD'}"),
    "sampling": (_is_sampling, "such as {'distribution': 'uniform', 'sample_num': 1}"),
    "gpus": (_is_gpus, "numbers of GPUs such as 0 or 0,1; '' for the CPU"),
    "level": (
        lambda value: isinstance(value, str) and value.lower() in _LEVELS,
        " or ".join(_LEVELS),
    ),
    "encoding": (_is_encoding, "the name of an encoding such as utf-8"),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
}
