"""Base models: RecBole's own, and those that RecBole lacks."""

from __future__ import annotations

from typing import Any

from torch import nn

from recbole_mwuf.errors import UserError


def create_base(config: Any, dataset: Any) -> nn.Module:
    """An untrained base, its embeddings started as ``embedding_init`` says.

    Args:
        config: Knows the base's class; uses ``embedding_init``, ``sparse_embedding``,
            ``sparse_embedding_rows`` and the base's settings.
        dataset: The data set it is built for.

    Raises:
        UserError: if it cannot be built with these settings.
    """
    try:
        base = config.base_class(config, dataset).to(config["device"])
    except (AssertionError, IndexError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        # such as heads that do not divide the embedding size, or too few dropout_probs
        raise UserError(
            f"base={config['base']} cannot be built with these settings: "
            f"{type(error).__name__}: {error}"
        ) from error
    for table in (m for m in base.modules() if isinstance(m, nn.Embedding)):
        chosen = config["sparse_embedding"]
        is_large = table.num_embeddings > config["sparse_embedding_rows"]
        table.sparse = is_large if chosen is None else chosen
        # first-order weights are no embeddings
        if config["embedding_init"] is not None and table.embedding_dim > 1:
            nn.init.normal_(table.weight, std=config["embedding_init"])
    return base
