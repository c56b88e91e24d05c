"""Base models: RecBole's own, and those that RecBole lacks."""

from __future__ import annotations

from recbole.model.abstract_recommender import ContextRecommender
from torch import nn

from recbole_mwuf.registry import get_base


def create_base(config, dataset) -> ContextRecommender:
    """An untrained base, its embeddings started as ``embedding_init`` says.

    Args:
        config: Uses ``base``, ``embedding_init`` and the base's settings.
        dataset: The data set it is built for.
    """
    base = get_base(config["base"])(config, dataset).to(config["device"])
    if config["embedding_init"] is not None:
        for module in base.modules():
            # first-order weights are no embeddings
            if isinstance(module, nn.Embedding) and module.embedding_dim > 1:
                nn.init.normal_(module.weight, std=config["embedding_init"])
    return base
