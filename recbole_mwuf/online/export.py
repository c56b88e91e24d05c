"""ONNX files for serving: the warm-up function, and the base with an item's row as an input."""

from __future__ import annotations

import json
import warnings
from logging import getLogger
from pathlib import Path

import torch
from recbole.data.interaction import Interaction
from recbole.utils import FeatureSource
from torch import Tensor, nn

from recbole_mwuf.errors import UserError
from recbole_mwuf.files import written_whole
from recbole_mwuf.model.base.item_side import SEQUENCE, ItemSideRecommender
from recbole_mwuf.model.item_embedding import ItemIDs
from recbole_mwuf.model.warm_up.mwuf import MWUF
from recbole_mwuf.online.item_warmer import ItemWarmer

EMBEDDING, FIRST_ORDER = "item_embedding", "item_first_order"
MEAN_USER = "mean_user_embedding"
HISTORY, HISTORY_LENGTH = "history", "history_length"
_ROWS = 2  # of the example that is traced; the number of rows is free


class _Served(nn.Module):
    """What is exported: takes its inputs by position, in the order of their names.

    Attributes:
        inputs: An example of each, by name.
    """

    inputs: dict[str, Tensor]


class WarmUpFunction(_Served):
    """Eq. 5: item features, mean user embedding, cold row -> warm row; all inputs ``[B, ...]``.

    Args:
        warmer: Holds an MWUF.
    """

    def __init__(self, warmer: ItemWarmer):
        super().__init__()
        self.model = warmer.model
        self.inputs = _item_features(warmer)
        size = self.model.item_embedding.size
        self.inputs[MEAN_USER] = torch.zeros(_ROWS, size)
        self.inputs[EMBEDDING] = torch.zeros(_ROWS, size)

    def forward(self, *inputs: Tensor) -> Tensor:
        columns = dict(zip(self.inputs, inputs))
        cold, mean_user = columns.pop(EMBEDDING), columns.pop(MEAN_USER)
        features = self.model.item_embedding.embed_features(columns, cold.shape[0])
        return self.model.transform(cold, features.flatten(1), mean_user)


class Scorer(_Served):
    """The base's prediction for users and items whose ID parameters are inputs: ``[B]``.

    A user's features are looked up; an item's are inputs, as is the history of a sequential base.

    Args:
        warmer: Holds the model.
    """

    def __init__(self, warmer: ItemWarmer):
        super().__init__()
        self.seam, self.base = warmer.model.item_embedding, warmer.model.base
        self.catalog = warmer.catalog
        self.inputs = {self.catalog.uid_field: torch.zeros(_ROWS, dtype=torch.long)}
        self.inputs.update(_item_features(warmer))
        self.inputs[EMBEDDING] = torch.zeros(_ROWS, self.seam.size)
        if self.seam.has_first_order:
            self.inputs[FIRST_ORDER] = torch.zeros(_ROWS, 1)
        if isinstance(self.base, ItemSideRecommender):
            steps = self.base.history_length
            self.inputs[HISTORY] = torch.zeros(_ROWS, steps, dtype=torch.long)
            self.inputs[HISTORY_LENGTH] = torch.ones(_ROWS, dtype=torch.long)

    def forward(self, *inputs: Tensor) -> Tensor:
        columns = dict(zip(self.inputs, inputs))
        ids = ItemIDs(columns.pop(EMBEDDING), columns.pop(FIRST_ORDER, None))
        history = columns.pop(HISTORY, None), columns.pop(HISTORY_LENGTH, None)
        users = columns[self.catalog.uid_field]
        # the item's own row is replaced: any ID will do, the features are those of the inputs
        columns = {**self.catalog.pairs(users, torch.zeros_like(users)), **columns}
        if HISTORY in self.inputs:
            columns[SEQUENCE] = self.base.encode(*history, users)
        return self.seam.scores(Interaction(columns), ids)


def _item_features(warmer: ItemWarmer) -> dict[str, Tensor]:
    """An example of the feature columns of items."""
    feat = warmer.catalog.item_feat
    return {} if feat is None else {name: feat[name][:_ROWS] for name in feat}


def export(warmer: ItemWarmer, folder: str | Path) -> None:
    """Write ``scorer.onnx``, ``warm_up.onnx`` (MWUF only) and ``vocabulary.json``.

    The number of rows is free. The inputs are named after the fields; the vocabulary lists the
    tokens of every field by ID, 0 standing for what is unknown.

    Args:
        warmer: What to export, as it is now: networks that learn are to be exported again.
        folder: Is created if need be.

    Raises:
        UserError: if the packages of the extra ``export`` are missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"{error}; pip install 'recbole-mwuf[export]'") from error
    folder = Path(folder)
    modules: dict[str, _Served] = {"scorer": Scorer(warmer)}
    if isinstance(warmer.model, MWUF):
        modules["warm_up"] = WarmUpFunction(warmer)
    warmer.model.eval()
    for name, module in modules.items():
        with written_whole(folder / f"{name}.onnx") as part:
            _write_onnx(module, part)
    fields = warmer.catalog.fields(
        source=[FeatureSource.USER_ID, FeatureSource.USER, FeatureSource.ITEM]
    )
    tokens = {name: warmer.catalog.field2id_token[name] for name in fields}
    with written_whole(folder / "vocabulary.json") as part:
        part.write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")


def _write_onnx(module: _Served, path: Path) -> None:
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
