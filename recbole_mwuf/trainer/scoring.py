"""Scores of a loader's rows and the metrics of these scores."""

from __future__ import annotations

from typing import Any

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


def evaluate_loader(
    config: Any, model: AbstractRecommender, dataset: ColdStartDataset, loader: SetLoader
) -> dict:
    """``metric -> value`` of a model on a loader's rows of a data set."""
    scores = score(model, loader)
    labels = dataset.inter_feat[dataset.label_field].cpu()[loader.rows]
    users = dataset.inter_feat[dataset.uid_field].cpu()[loader.rows]
    return evaluate(config, scores, labels, users)
