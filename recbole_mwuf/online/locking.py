"""One thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

Method = TypeVar("Method", bound=Callable)


def alone(method: Method) -> Method:
    """A method that waits until no other thread is in one, by its object's ``lock``.

    Scores come from the modules that learn, and a base is shown histories and other ID rows while
    it computes: two threads in it at once would read each other's.
    """

    @wraps(method)
    def locked(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return method(self, *args, **kwargs)

    return cast(Method, locked)
