"""Base models: RecBole's own, and those that RecBole lacks."""

from __future__ import annotations

from recbole.model.abstract_recommender import ContextRecommender
from torch import nn

from recbole_mwuf.registry import get_base


def create_base(config, dataset) -> ContextRecommender:
    """An untrained base, its embeddings started as ``embedding_init`` says.

    Args:
        config: Uses ``base``, ``embedding_init``, ``sparse_embedding`` and the base's settings.
        dataset: The data set it is built for.
    """
    base = get_base(config["base"])(config, dataset).to(config["device"])
    for table in (m for m in base.modules() if isinstance(m, nn.Embedding)):
        table.sparse = bool(config["sparse_embedding"])
        # first-order weights are no embeddings
        if config["embedding_init"] is not None and table.embedding_dim > 1:
            nn.init.normal_(table.weight, std=config["embedding_init"])
    return base
