"""Gradient boosting on taste features and a bias for every item: the strongest trivial rival."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_mwuf.data.taste_fields import possible_names
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base.taste_rivals import TasteRival

MARGIN = "taste_margin"


class TasteBoost(TasteRival):
    """LightGBM's trees on all taste features, and a bias for every item.

    The trees grow from the old items' rows when training begins; then their biases are learned.

    Args:
        config: Uses ``taste_fields``, ``boost_rounds``, ``boost_leaves``,
            ``boost_learning_rate``, ``torch_threads``.
        dataset: A data set with taste features.

    Raises:
        UserError: if there are no taste features, or LightGBM is missing.
    """

    exportable = False  # trees are no tensors

    def __init__(self, config: Any, dataset: Any):
        super().__init__(config, dataset)
        try:
            import lightgbm
        except ImportError as error:
            raise UserError(f"TasteBoost: {error}; pip install 'recbole-mwuf[boost]'") from error
        self._lightgbm: Any = lightgbm
        self._trees: Any = None
        self._dataset = dataset
        self._rounds = config["boost_rounds"]
        self._tree_settings = {
            "objective": "binary",
            "num_leaves": config["boost_leaves"],
            "learning_rate": config["boost_learning_rate"],
            "num_threads": config["torch_threads"] or 0,
            "deterministic": True,
            "seed": config["seed"],
            "verbosity": -1,
        }

    def reads(self, config: Any) -> list[str]:
        return possible_names(config)

    def grow_trees(self) -> None:
        """Fit the trees to the old items' rows, whose numbers are out of fold."""
        rows = self._dataset.split.rows("old")
        numbers = self._dataset.taste.training[rows].cpu().numpy()
        labels = self._dataset.inter_feat[self.LABEL].cpu().numpy()[rows]
        data = self._lightgbm.Dataset(numbers, labels, free_raw_data=True)
        self._trees = self._lightgbm.train(self._tree_settings, data, self._rounds)

    def of_pair(self, interaction: Interaction) -> Tensor:
        if MARGIN in interaction:
            return interaction[MARGIN]
        numbers = self.numbers(interaction).cpu().numpy()
        if self._trees is None:  # nothing has been learned yet
            return torch.zeros(len(numbers), device=self.device)
        margin = self._trees.predict(numbers, raw_score=True).astype(np.float32)
        return torch.from_numpy(margin).to(self.device)

    def shared_columns(self, interaction: Interaction) -> dict[str, Tensor]:
        """What the trees say, in which the item's ID has no part."""
        return {MARGIN: self.of_pair(interaction)}

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        if self._trees is None:
            self.grow_trees()
        return super().calculate_loss(interaction)

    def get_extra_state(self) -> Tensor:
        """The trees as LightGBM writes them, UTF-8."""
        text = "" if self._trees is None else self._trees.model_to_string()
        return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8) if text else _EMPTY

    def set_extra_state(self, state: Tensor) -> None:
        if len(state):
            text = bytes(state.cpu().numpy()).decode()
            self._trees = self._lightgbm.Booster(model_str=text)


_EMPTY = torch.empty(0, dtype=torch.uint8)
