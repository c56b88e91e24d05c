"""What a context-aware base embeds of a batch, kept for several passes with other item IDs.

A fixed base embeds the same features in every pass over the same samples; only the item's column
differs. These are columns of the batch, row by row, so that parts of a batch carry them as well.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import ContextRecommender
from torch import Tensor, nn

from recbole_mwuf.model.item_table.contract import ItemIDs

EMBEDDED = "embedded"  # sequence and token fields, [B, n_fields, k]
_FLOATS = "embedded_floats"
_WEIGHTS = "first_order_weights"  # of the token fields, [B, n_fields, 1]
_SEQUENCES = "first_order_sequences"


def embedded_columns(
    base: ContextRecommender, first_order: Any, interaction: Interaction
) -> dict[str, Tensor]:
    """What the base and its first-order term embed of a batch, by column.

    Args:
        base: Embeds by RecBole's ``embed_input_fields``, and is fixed.
        first_order: RecBole's ``FMFirstOrderLinear`` if the base has one.
        interaction: B samples.
    """
    sparse, floats = base.embed_input_fields(interaction)
    columns = {EMBEDDED: sparse, _FLOATS: floats}
    if first_order is not None:
        tokens = torch.stack([interaction[f] for f in first_order.token_field_names], dim=1)
        columns[_WEIGHTS] = first_order.token_embedding_table(tokens)
        sequences = [interaction[field] for field in first_order.token_seq_field_names]
        columns[_SEQUENCES] = first_order.embed_token_seq_fields(sequences)
    return {name: column for name, column in columns.items() if column is not None}


@contextmanager
def embedded_known(
    base: ContextRecommender,
    first_order: Any,
    field: str,
    interaction: Interaction,
    ids: ItemIDs,
) -> Iterator[None]:
    """While open, a batch that has :func:`embedded_columns` is not embedded again.

    Args:
        base: As there.
        first_order: As there.
        field: The item ID's, whose column is the one that differs.
        interaction: The batch.
        ids: What stands in that column, a row for every sample.
    """
    columns, embed = interaction.interaction, base.embed_input_fields
    place = len(base.token_seq_field_names) + base.token_field_names.index(field)

    def embedded(batch: Interaction) -> tuple[Tensor, Tensor | None]:
        if batch is not interaction:
            return embed(batch)
        return _with_column(columns[EMBEDDED], place, ids.embedding), columns.get(_FLOATS)

    with _own(base, embed_input_fields=embedded):
        if first_order is None or ids.first_order is None:
            yield
            return
        with _weights_known(first_order, field, columns, ids.first_order):
            yield


@contextmanager
def _weights_known(
    first_order: Any, field: str, columns: dict[str, Tensor], values: Tensor
) -> Iterator[None]:
    place = first_order.token_field_names.index(field)
    embed = first_order.embed_token_seq_fields
    own = [columns[name] for name in first_order.token_seq_field_names]

    def weights(tokens: Tensor) -> Tensor:
        return _with_column(columns[_WEIGHTS], place, values)

    def sequences(fields: list[Tensor]) -> Tensor | None:
        same = len(fields) == len(own) and all(map(operator.is_, fields, own))
        return columns.get(_SEQUENCES) if same else embed(fields)

    table = first_order.token_embedding_table
    with _own(table, forward=weights), _own(first_order, embed_token_seq_fields=sequences):
        yield


@contextmanager
def _own(module: nn.Module, **functions: Any) -> Iterator[None]:
    """While open, a module has functions of its own in place of methods; hooks go on working."""
    attributes = vars(module)  # setattr of a module is slow, and this happens in every pass
    before = {name: attributes[name] for name in functions if name in attributes}
    attributes.update(functions)
    try:
        yield
    finally:
        for name in functions:
            del attributes[name]
        attributes.update(before)


def _with_column(embedded: Tensor, place: int, values: Tensor) -> Tensor:
    """``[B, n_fields, k]`` with ``[B, k]`` in one of the columns."""
    after = embedded[:, place + 1 :]
    return torch.cat([embedded[:, :place], values.unsqueeze(1), after], dim=1)
