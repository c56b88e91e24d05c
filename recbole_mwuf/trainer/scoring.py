"""Scores of a loader's rows and the metrics of these scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from recbole.model.abstract_recommender import AbstractRecommender
from torch import Tensor

from recbole_mwuf.data import ColdStartDataset, SetLoader
from recbole_mwuf.evaluator.metrics import evaluate
from recbole_mwuf.parallel.collectives import gather


@torch.no_grad()
def score(model: AbstractRecommender, loader: SetLoader) -> Tensor:
    """Predictions for a loader's rows in their order, on the CPU, shape ``[n_rows]``."""
    model.eval()
    return torch.cat(gather([model.predict(batch).cpu() for batch in loader]))


class Scored(NamedTuple):
    """Rows of a data set and what a model gave them.

    Attributes:
        scores: Predictions, shape ``[n]``.
        labels: 0 or 1, shape ``[n]``.
        users: User of every row, shape ``[n]``.
        items: Item of every row, shape ``[n]``.
    """

    scores: Tensor
    labels: Tensor
    users: Tensor
    items: Tensor

    def arrays(self, *names: str) -> tuple[np.ndarray, ...]:
        """Some columns as arrays."""
        return tuple(getattr(self, name).numpy() for name in names)


def score_rows(model: AbstractRecommender, dataset: ColdStartDataset, loader: SetLoader) -> Scored:
    """A loader's rows of a data set, scored."""
    names = (dataset.label_field, dataset.uid_field, dataset.iid_field)
    columns = (dataset.inter_feat[name].cpu()[loader.rows] for name in names)
    return Scored(score(model, loader), *columns)


def evaluate_loader(
    config: Any, model: AbstractRecommender, dataset: ColdStartDataset, loader: SetLoader
) -> dict:
    """``metric -> value`` of a model on a loader's rows of a data set."""
    scored = score_rows(model, dataset, loader)
    return evaluate(config, scored.scores, scored.labels, scored.users)
