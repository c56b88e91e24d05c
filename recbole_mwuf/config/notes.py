"""What a user gave and no one reads: told, not passed over in silence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from recbole_mwuf.settings import read_properties


def notes_on(
    given: Mapping[str, Any], defaults: Mapping[str, Any], declared: Collection[str]
) -> list[str]:
    """A line for every setting that was given and has no effect.

    Args:
        given: The user's settings.
        defaults: What RecBole, this package, the data set, the base and the method know, with
            their defaults.
        declared: Names of the settings that this package, the base and the method declare.
    """
    ignored = read_properties("ignored")
    notes = []
    for name, value in given.items():
        if name in declared or _same(value, defaults.get(name)):
            continue
        if name in ignored:
            notes.append(f"{name}={value!r} has no effect: {ignored[name]}")
        elif name not in defaults:
            notes.append(f"{name}={value!r} has no effect that is known: nothing here declares it")
    return notes


def notes_on_method(
    given: Mapping[str, Any], defaults: Mapping[str, Any], model: str, ignores: Collection[str]
) -> list[str]:
    """A line for every setting of the protocol that was given and that a method does without.

    Args:
        given: As for :func:`notes_on`.
        defaults: As for :func:`notes_on`.
        model: Name of the method.
        ignores: What it does without.
    """
    names = [n for n in given if n in ignores and not _same(given[n], defaults.get(n))]
    return [f"{name}={given[name]!r} has no effect on model={model}" for name in names]


def _same(value: object, default: object) -> bool:
    """Whether a value is the default, or such a part of it as may be given of a dict."""
    if isinstance(value, dict) and isinstance(default, dict):
        return {**default, **value} == default
    return value == default
