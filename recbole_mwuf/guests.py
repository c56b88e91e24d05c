"""Models of other people: registered in Python, or named by the entry points of their packages."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from recbole_mwuf.errors import UserError
from recbole_mwuf.settings import Setting, read_properties


class Guests:
    """The guests of one kind.

    Args:
        group: Of entry points.
        kind: What they are subclasses of.
        reserved: Files of settings that are not theirs to declare, as ``overall``.

    Attributes:
        registered: Name -> class.
    """

    def __init__(self, group: str, kind: type, reserved: Iterable[str]):
        self.group, self.kind, self._files = group, kind, tuple(reserved)
        self.registered: dict[str, type] = {}
        self._loaded: dict[str, type] = {}

    def names(self) -> set[str]:
        """Of those registered and those installed."""
        return {*self._installed, *self.registered}

    def find(self, name: str) -> type | None:
        """The class of a name; None if it is no guest's.

        Raises:
            UserError: if its package cannot be loaded, or offers something else.
        """
        if name in self.registered or name not in self._installed:
            return self.registered.get(name)
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def other_of(self, model: type) -> str:
        """Another guest that has a model's name; empty if there is none."""
        name, path = model.__name__, _path(model)
        known = self.registered.get(name)
        paths = [_path(known)] if known is not None else []
        paths += [point.value for point in self._installed.get(name, ())]
        return next((other for other in paths if other != path), "")

    def check(self, model: type) -> None:
        """Refuse what is no model of this kind, and settings that would not work.

        Raises:
            UserError: naming the class, the setting and what would work.
        """
        if not (isinstance(model, type) and issubclass(model, self.kind)):
            name = getattr(model, "__name__", repr(model))
            raise UserError(f"{name} cannot be registered: it is no {self.kind.__name__}")
        settings = getattr(model, "settings", None)
        where = f"{model.__name__}.settings"
        if not isinstance(settings, (Mapping, type(None))):
            raise UserError(f"{where} must map names to Setting(default, kind, help)")
        for name, setting in (settings or {}).items():
            if not isinstance(setting, Setting):
                wanted = "but must be Setting(default, kind, help)"
                raise UserError(f"{where}: {name} is {setting!r}, {wanted}")
            if name in self._reserved:
                taken = f"there is a setting '{name}' already; give it another name"
                raise UserError(f"{where}: {taken}")
            try:
                setting.check(name, setting.default)
            except ValueError as error:  # its kind is none, or its default is not of it
                raise UserError(f"{where}: {error}") from error

    @cached_property
    def _reserved(self) -> frozenset[str]:
        return frozenset(name for file in self._files for name in read_properties(file))

    @cached_property
    def _installed(self) -> Mapping[str, list[EntryPoint]]:
        """Entry points by name; several of a name only if they differ."""
        if sys.version_info >= (3, 10):
            points: Iterable[EntryPoint] = entry_points(group=self.group)
        else:
            points = entry_points().get(self.group, ())
        found: dict[str, dict[str, EntryPoint]] = {}
        for point in points:
            found.setdefault(point.name, {})[point.value] = point
        return {name: list(by_value.values()) for name, by_value in found.items()}

    def _load(self, name: str) -> type:
        points = self._installed[name]
        if len(points) > 1:
            both = " and ".join(sorted(point.value for point in points))
            raise UserError(f"{name} is the name of two installed models, {both}: uninstall one")
        try:
            found = points[0].load()
        except Exception as error:  # whatever its package does when it is imported
            reason = f"{type(error).__name__}: {error}"
            raise UserError(f"{name}: {points[0].value} cannot be loaded: {reason}") from error
        self.check(found)
        if found.__name__ != name:
            raise UserError(
                f"{name}: the entry point is to have the name of its class, {found.__name__}"
            )
        return found


def _path(model: type) -> str:
    """As an entry point spells it; a script has another name in its other processes."""
    module = "__main__" if model.__module__ == "__mp_main__" else model.__module__
    return f"{module}:{model.__qualname__}"
