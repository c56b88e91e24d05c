"""Reads what RecBole's Trainer has pickled without executing anything from the file.

A pickle may name any class or function and call it. Here every name but those that tensors need
gives a :class:`StandIn`, which only keeps what it was called with. What a checkpoint needs of these
is rebuilt afterwards from plain values.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.utils import enum_type
from scipy import sparse

# what a state dict is made of; torch's own list for weights_only holds them too
_OF_TENSORS = {
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("builtins", "dict"),
    ("torch", "device"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
}
_ENUMS = {name: kind for name, kind in vars(enum_type).items() if isinstance(kind, type)}
_NUMBERS = "biufSU"  # kinds of numpy types that are plain values


class StandIn:
    """Stands for an object of a class that is not constructed, or for a call that is not made.

    Attributes:
        name: Module and name of the class or function.
        args: What it was called with.
        state: What its attributes would be; None if the file says nothing of them.
    """

    name: tuple[str, str] = ("", "")
    args: tuple
    state: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> StandIn:
        self = super().__new__(cls)
        self.args, self.state = args, None
        return self

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Finds what tensors need, and a stand-in for everything else."""

    def find_class(self, module: str, name: str) -> Any:
        is_storage = module == "torch" and name.endswith("Storage")
        if not is_storage and (module, name) not in _OF_TENSORS:
            return type("StandIn", (StandIn,), {"name": (module, name)})
        found = super().find_class(module, name)
        # a file may set attributes of a function: of this one, which no one else calls
        return found if isinstance(found, type) else lambda *args: found(*args)


class _Pickle:
    """Stands in for the pickle module in ``torch.load``."""

    Unpickler = _Unpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file: Any, **kwargs: Any) -> Any:
        return _Unpickler(file, **kwargs).load()


def load(path: str | Path, device: Any = "cpu") -> Any:
    """``torch.load`` for any pickle; nothing in the file is executed.

    ``weights_only`` cannot read RecBole's: it does not know their protocol, nor their classes.

    Args:
        path: The file.
        device: Where the tensors go, as torch's ``map_location``.
    """
    return torch.load(path, map_location=device, weights_only=False, pickle_module=_Pickle)


def plain(value: Any) -> Any:
    """Values in which stand-ins of RecBole's enums, numpy's and scipy's values are these again.

    Raises:
        ValueError: if another one is left; the message names it.
    """
    if isinstance(value, dict):
        return {plain(key): plain(part) for key, part in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(plain(part) for part in value)
    if isinstance(value, StandIn):
        return _rebuilt(value)
    if isinstance(value, type) and issubclass(value, StandIn):
        raise ValueError(f"it refers to {'.'.join(value.name)}, which no checkpoint needs")
    return value


def _rebuilt(value: StandIn) -> Any:
    module, name = value.name
    package = module.partition(".")[0]
    try:
        if module == enum_type.__name__:
            return _ENUMS[name](*value.args)
        if value.name == ("_codecs", "encode"):  # bytes, in the older protocols
            return value.args[0].encode("latin1")
        if package == "numpy":
            return _NUMPY[name](value)
        if package == "scipy":
            return _sparse_matrix(name, plain(value.state))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"it holds a broken {module}.{name}: {error!r}") from error
    raise ValueError(f"it holds a {module}.{name}, which no checkpoint needs")


def _dtype(value: StandIn) -> np.dtype:
    kind = np.dtype(str(value.args[0]))
    if kind.kind not in _NUMBERS + "O":
        raise TypeError(kind)
    return kind.newbyteorder(value.state[1]) if value.state else kind


def _scalar(value: StandIn) -> Any:
    kind = _dtype(value.args[0])
    if kind.kind not in _NUMBERS:
        raise TypeError(kind)
    return np.frombuffer(plain(value.args[1]), kind)[0]


def _array(value: StandIn) -> np.ndarray:
    """An array of numbers, or of plain values as scipy's lists of lists hold them."""
    _, shape, kind, in_columns, content = value.state
    kind = _dtype(kind)
    if kind.kind in _NUMBERS:
        flat = np.frombuffer(plain(content), kind).copy()
    else:
        flat = np.empty(len(content), dtype=object)
        for position, part in enumerate(plain(content)):
            flat[position] = part
    array = flat.reshape(shape, order="F" if in_columns else "C")
    return np.asmatrix(array) if value.args[0].name[1] == "matrix" else array


_NUMPY: dict[str, Callable[[StandIn], Any]] = {
    "dtype": _dtype,
    "scalar": _scalar,
    "_reconstruct": _array,
}


def _sparse_matrix(name: str, state: dict) -> Any:
    """One of scipy's sparse matrices from its attributes."""
    shape = tuple(state["_shape"])
    if name in ("csr_matrix", "csc_matrix"):
        parts = (state["data"], state["indices"], state["indptr"])
        return getattr(sparse, name)(parts, shape=shape)
    if name == "coo_matrix":
        coords = state.get("coords") or (state["row"], state["col"])
        return sparse.coo_matrix((state["data"], coords), shape=shape)
    if name == "lil_matrix":
        matrix = sparse.lil_matrix(shape, dtype=state["dtype"])
        matrix.rows, matrix.data = state["rows"], state["data"]
        return matrix
    raise KeyError(name)
