"""What RecBole 1.2.1 takes for granted of older libraries and no override of ours can give it.

Every entry names the version that needs it. What an override can mend stands in the class that
overrides: :class:`~recbole_mwuf.data.ColdStartDataset`, :class:`~recbole_mwuf.config.Config`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from pandas.errors import ChainedAssignmentError
from recbole.config import Config as RecBoleConfig

# numpy >= 2 lacks the names that RecBole's Config.compatibility_settings reads
_NUMPY_NAMES = {"float_": np.float64, "complex_": np.complex128, "unicode_": np.str_}
_agg, _read_csv = pd.Series.agg, pd.read_csv
# cells that stand for no number; of a token or a sequence only an empty cell does
MISSING_NUMBERS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")


@contextmanager
def older_libraries() -> Iterator[None]:
    """While open, RecBole's Config and Dataset find what they expect of numpy 1 and pandas 2."""
    numpy_names = {name: kind for name, kind in _NUMPY_NAMES.items() if name not in vars(np)}
    for name, kind in numpy_names.items():
        setattr(np, name, kind)
    pd.Series.agg, pd.read_csv = _agg_values, _read_csv_for_recbole
    try:
        yield
    finally:
        pd.Series.agg, pd.read_csv = _agg, _read_csv
        for name in numpy_names:
            delattr(np, name)


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
    converts numbers as ``high`` does. For pandas the text NA is no value, but an item may be
    called NA. pandas >= 3: ``_load_feat`` fills the empty cells of a sequence field in a copy and
    then cannot split them; here they come filled.
    """
    if len(kwargs.get("delimiter") or "") == 1:
        kwargs |= {"engine": "c", "float_precision": "high"}
    if isinstance(kinds := kwargs.get("dtype"), dict):
        missing = {name: [""] if kind is str else MISSING_NUMBERS for name, kind in kinds.items()}
        kwargs |= {"keep_default_na": False, "na_values": missing}
    frame = _read_csv(*args, **kwargs)
    for name in frame:
        if str(name).endswith("_seq"):
            frame[name] = frame[name].fillna("")
    return frame


def silence_recbole() -> None:
    """Hide warnings about RecBole's own code, which its users cannot mend (pandas 3, cuda.amp)."""
    for category in (FutureWarning, ChainedAssignmentError):
        warnings.filterwarnings("ignore", category=category, module="recbole")
    # columns of pandas 3 are not writable; no one writes to a loaded data set
    warnings.filterwarnings("ignore", "The given NumPy array is not writable", module="recbole")
