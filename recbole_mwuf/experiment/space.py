"""What a search tries: settings and their values, in RecBole's format."""

from __future__ import annotations

import ast
from pathlib import Path

import hyperopt
import numpy as np
from hyperopt.pyll.stochastic import sample
from recbole.trainer import HyperTuning

from recbole_mwuf.config import Config
from recbole_mwuf.errors import UserError
from recbole_mwuf.files import plain_values
from recbole_mwuf.registry import get_method
from recbole_mwuf.settings import properties_dir

# how many numbers describe a range
_NUMBERS = {"choice": 0, "uniform": 2, "quniform": 3, "loguniform": 2}


Space = dict[str, tuple[str, list]]  # name -> kind, values


def read_space(text: str, source: str) -> Space:
    """Read a search space in RecBole's format: ``name kind values`` on every line.

    Args:
        text: For ``choice`` the values are a Python list; for ``uniform``, ``loguniform`` (both
            ``low,high``, the latter of the logarithm) and ``quniform`` (``low,high,step``) they
            are numbers.
        source: What the messages call the text.

    Returns:
        dict: ``name -> (kind, values)`` in the order of the file.

    Raises:
        UserError: if the text is empty or holds anything else.
    """
    space = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            name, kind, values = _read_line(line, f"{source}, line {number}")
            space[name] = (kind, values)
    if not space:
        raise UserError(f"{source} names no setting to search")
    return space


def rows_space() -> Space:
    """What is tuned of how the rows of new items learn, for every method alike."""
    text = (properties_dir() / "hyper" / "rows.hyper").read_text(encoding="utf-8")
    return read_space(text, "rows.hyper")


def space_of(config: Config) -> Space:
    """The search space of a run: the user's ``params_file``, else the method's and the rows'.

    Raises:
        UserError: if there is none, or it cannot be read.
    """
    file = config["params_file"]
    if file is None:
        return method_space(config["model"])
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"params_file: cannot read '{file}': {error}") from error
    return read_space(text, f"params_file '{file}'")


def method_space(model: str) -> Space:
    """What a method declares, a plain base's architecture, and how rows learn where they do.

    Raises:
        UserError: if there is nothing to search.
    """
    method = get_method(model)
    text = method.search_space_text()
    space = {} if text is None else read_space(text, f"the search space of {model}")
    space |= rows_space() if method.learns_rows() else {}
    if not space:
        raise UserError(f"model={model} declares no search space: give params_file")
    return space


def draw(space: Space, n: int, seed: int) -> list[dict]:
    """Configurations drawn at random, as RecBole's tuner with ``algo=random`` draws them.

    Args:
        space: What to draw from.
        n: How many.
        seed: Of the draws: the same seed, the same configurations, and the first of more.
    """
    expressions = expressions_of(space)
    random = np.random.default_rng(seed)
    return [plain_values(sample(expressions, rng=random)) for _ in range(n)]


def expressions_of(space: Space) -> dict:
    """A search space as hyperopt's expressions, built by RecBole's tuner."""
    by_kind: dict[str, dict] = {}
    for name, (kind, values) in space.items():
        by_kind.setdefault(kind, {})[name] = values
    expressions = HyperTuning(print, params_dict=by_kind, algo="random").space
    for name, (kind, values) in space.items():
        if kind == "quniform" and all(value.is_integer() for value in values):
            expressions[name] = hyperopt.pyll.scope.int(expressions[name])
    return expressions


def _read_line(line: str, where: str) -> tuple[str, str, list]:
    parts = line.split(maxsplit=2)
    if len(parts) < 3 or parts[1] not in _NUMBERS:
        raise UserError(f"{where}: '{line}' is not 'name {'|'.join(_NUMBERS)} values'")
    name, kind, text = parts
    try:
        values = list(ast.literal_eval(text))
        if kind != "choice":
            values = [float(value) for value in values]
    except (ValueError, SyntaxError, TypeError):
        values = []
    if not values or len(values) != (_NUMBERS[kind] or len(values)):
        example = "['a','b']" if kind == "choice" else "0.1,0.9" + ",0.1" * (kind == "quniform")
        raise UserError(f"{where}: '{text}' are no values for {kind}; write such as {example}")
    return name, kind, values
