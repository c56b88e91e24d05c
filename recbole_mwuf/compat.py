"""What RecBole 1.2.1 takes for granted of older libraries and no override of ours can give it.

Every entry names the version that needs it. What an override can mend stands in the class that
overrides: :class:`~recbole_mwuf.data.ColdStartDataset`, :class:`~recbole_mwuf.config.Config`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from pandas.errors import ChainedAssignmentError
from recbole.config import Config as RecBoleConfig
from recbole.trainer import hyper_tuning
from scipy.sparse import dok_matrix

# numpy >= 2 lacks the names that RecBole's Config.compatibility_settings reads
_NUMPY_NAMES = {"float_": np.float64, "complex_": np.complex128, "unicode_": np.str_}
_NOT_OURS = r"(?!recbole_mwuf\b|dataset_converters\b|__main__$)"  # what a module's name is to match
_agg, _read_csv = pd.Series.agg, pd.read_csv
_exhaustive_search = hyper_tuning.exhaustive_search
_ABSENT = object()


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """While open, an attribute of a module or class is another one.

    Examples:
        >>> with replaced(np, "pi", 3):
        ...     np.pi
        3
        >>> np.pi > 3
        True
    """
    before = vars(owner).get(name, _ABSENT)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


# cells that stand for no number; of a token or a sequence only an empty cell does
MISSING_NUMBERS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")


@contextmanager
def older_libraries() -> Iterator[None]:
    """While open, RecBole's Config and Dataset find what they expect of numpy 1 and pandas 2."""
    with ExitStack() as stack:
        for name, kind in _NUMPY_NAMES.items():
            if name not in vars(np):
                stack.enter_context(replaced(np, name, kind))
        stack.enter_context(replaced(pd.Series, "agg", _agg_values))
        stack.enter_context(replaced(pd, "read_csv", _read_csv_for_recbole))
        yield


def numpy_names() -> None:
    """Give numpy the names that RecBole's models read, as its Config does."""
    with older_libraries():
        RecBoleConfig.compatibility_settings(None)


def _agg_values(self: pd.Series, func: Any = None, *args: Any, **kwargs: Any) -> Any:
    """pandas >= 3: ``agg(len)`` gives one number, the column's length.

    RecBole wants that of every value (``_remap``, ``_normalize``, ``_discretization``).
    """
    return self.map(len) if func is len else _agg(self, func, *args, **kwargs)


def _read_csv_for_recbole(*args: Any, **kwargs: Any) -> Any:
    """What ``_load_feat`` reads, by pandas' C engine if the separator is one character.

    RecBole asks for the Python engine, which takes seven times as long (5 s for ML-1M) and
    converts numbers in the same way. For pandas the text NA is no value, but an item may be
    called NA. pandas >= 3: ``_load_feat`` fills the empty cells of a sequence field in a copy and
    then cannot split them; here they come filled.
    """
    if len(kwargs.get("delimiter") or "") == 1:
        kwargs |= {"engine": "c"}
    if isinstance(kinds := kwargs.get("dtype"), dict):
        missing = {name: [""] if kind is str else MISSING_NUMBERS for name, kind in kinds.items()}
        kwargs |= {"keep_default_na": False, "na_values": missing}
    frame = _read_csv(*args, **kwargs)
    for name in frame:
        if str(name).endswith("_seq"):
            frame[name] = frame[name].fillna("")
    return frame


@contextmanager
def newer_scipy_and_hyperopt() -> Iterator[None]:
    """While open, RecBole's own models and its tuner find what they expect of older libraries."""
    with ExitStack() as stack:
        if not hasattr(dok_matrix, "_update"):
            stack.enter_context(replaced(dok_matrix, "_update", _update))
        stack.enter_context(replaced(hyper_tuning, "exhaustive_search", _search))
        yield


def _update(self: dok_matrix, data: dict) -> None:
    """scipy >= 1.13: RecBole's graph models (LightGCN, NGCF) fill a matrix by this method."""
    self._dict.update(data)


def _search(*args: Any, **kwargs: Any) -> list:
    """hyperopt >= 0.2.6 draws from numpy's Generator; RecBole's search gives it a RandomState."""
    random = SimpleNamespace(RandomState=np.random.default_rng)
    with replaced(hyper_tuning, "np", SimpleNamespace(random=random)):
        return _exhaustive_search(*args, **kwargs)


def silence_recbole() -> None:
    """Hide what other people's code warns of, which the user of this package cannot mend.

    Warnings of this package stay, and all of them if Python was told what to show (``-W``).
    """
    if sys.warnoptions:
        return
    for category in (FutureWarning, DeprecationWarning, UserWarning, ChainedAssignmentError):
        warnings.filterwarnings("ignore", category=category, module=_NOT_OURS)
