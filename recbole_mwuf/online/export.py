"""ONNX files for serving: the warm-up function, and the base with an item's row as an input."""

from __future__ import annotations

import json
import warnings
from logging import getLogger
from pathlib import Path
from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.utils import FeatureSource
from torch import Tensor

from recbole_mwuf.errors import UserError
from recbole_mwuf.files import atomic_write
from recbole_mwuf.model.base.item_side import SEQUENCE
from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.served import EMBEDDING, ROWS, Served
from recbole_mwuf.online.item_warmer import ItemWarmer

FIRST_ORDER = "item_first_order"
TASTE = "taste"  # input [rows, n_numbers], as warmer.catalog.taste.of(user_ids, item_ids) gives it
HISTORY, HISTORY_LENGTH = "history", "history_length"


class Scorer(Served):
    """The base's prediction for users and items whose ID parameters are inputs: ``[B]``.

    A user's features are looked up; an item's are inputs, as are the history of a sequential base
    and the taste features.

    Args:
        warmer: Holds the model.
    """

    def __init__(self, warmer: ItemWarmer):
        super().__init__()
        self.table = warmer.model.table
        self.base: Any = warmer.model.base
        self.catalog = warmer.catalog
        self.inputs = {self.catalog.uid_field: torch.zeros(ROWS, dtype=torch.long)}
        self.inputs.update(self.table.feature_columns(torch.arange(ROWS)))
        self.inputs[EMBEDDING] = torch.zeros(ROWS, self.table.size)
        if self.table.has_first_order:
            self.inputs[FIRST_ORDER] = torch.zeros(ROWS, 1)
        if self.catalog.taste is not None:
            self.inputs[TASTE] = torch.zeros(ROWS, len(self.catalog.taste.names))
        if steps := self.table.history_length:
            self.inputs[HISTORY] = torch.zeros(ROWS, steps, dtype=torch.long)
            self.inputs[HISTORY_LENGTH] = torch.ones(ROWS, dtype=torch.long)

    def forward(self, *inputs: Tensor) -> Tensor:
        columns = dict(zip(self.inputs, inputs))
        ids = ItemIDs(columns.pop(EMBEDDING), columns.pop(FIRST_ORDER, None))
        history = columns.pop(HISTORY, None), columns.pop(HISTORY_LENGTH, None)
        if self.catalog.taste is not None:
            columns.update(self.catalog.taste.columns(columns.pop(TASTE)))
        users = columns[self.catalog.uid_field]
        # the item's own row is replaced: any ID will do, the features are those of the inputs
        columns = {**self.catalog.pairs(users, torch.zeros_like(users)), **columns}
        if HISTORY in self.inputs:
            columns[SEQUENCE] = self.base.encode(*history, users)
        return self.table.scores(Interaction(columns), ids)


def export(warmer: ItemWarmer, folder: str | Path) -> None:
    """Write ``scorer.onnx``, the method's own functions and ``vocabulary.json``.

    The number of rows is free. The inputs are named after the fields; the vocabulary lists the
    tokens of every field by ID, 0 standing for what is unknown.

    Args:
        warmer: What to export, as it is now: networks that learn are to be exported again.
        folder: Is created if need be.

    Raises:
        UserError: if the packages of the extra ``export`` are missing, or the base is none for
            ONNX.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"{error}; pip install 'recbole-mwuf[export]'") from error
    base = warmer.model.base
    if not getattr(base, "exportable", True):
        raise UserError(f"base={type(base).__name__} cannot be written as ONNX; take another one")
    if left_out := warmer.model.not_exported:
        getLogger().warning(f"scorer.onnx scores without {left_out}")
    folder = Path(folder)
    with warmer.lock:
        modules: dict[str, Served] = {"scorer": Scorer(warmer), **warmer.model.served_modules()}
        warmer.model.eval()
        for name, module in modules.items():
            with atomic_write(folder / f"{name}.onnx") as part:
                _write_onnx(module, part)
    fields = warmer.catalog.fields(
        source=[FeatureSource.USER_ID, FeatureSource.USER, FeatureSource.ITEM]
    )
    tokens = {name: warmer.catalog.field2id_token[name] for name in fields}
    with atomic_write(folder / "vocabulary.json") as part:
        part.write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")


def _write_onnx(module: Served, path: Path) -> None:
    rows = torch.export.Dim("rows")
    # the exporter's notes on torchvision, its optimiser, its own old calls and names of axes
    for name in ("torch.onnx._internal.exporter._registration", "onnxscript.optimizer"):
        getLogger(name).setLevel("ERROR")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        torch.onnx.export(
            module.eval(),
            tuple(module.inputs.values()),
            path,
            input_names=list(module.inputs),
            dynamic_shapes={"inputs": tuple({0: rows} for _ in module.inputs)},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
