"""RecBole's sequential models, unmodified, as encoders of an item's user history."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_mwuf.model.base.item_side import ItemSideRecommender
from recbole_mwuf.recbole_models import get_recbole_model


class _NoItems:
    """Stands for a data set of no items: the encoder's own item table is not used."""

    @staticmethod
    def num(field: str) -> int:
        return 1


class RecBoleSequenceEncoder(ItemSideRecommender):
    """The item side of the RecBole model of the same name.

    It serves any model whose forward maps a sequence and its length to a vector. The encoder reads
    the users of the history as if they were its items, from the base's user rows.
    """

    def build_encoder(self, config: Any) -> None:
        self.encoder = get_recbole_model(type(self).__name__)(config, _NoItems())
        del self.encoder.item_embedding
        self.encoder.item_embedding = self.embed_users

    def encode(self, users: Tensor, length: Tensor, target: Tensor) -> Tensor:
        # RecBole's encoders know no empty sequence: read one padding step and drop the result
        vector = self.encoder(users, length.clamp(min=1))
        return torch.where(length.unsqueeze(1) > 0, vector, 0.0)


class GRU4Rec(RecBoleSequenceEncoder):
    """The last state of RecBole's GRU over the item's users (section 4.2)."""


class NARM(RecBoleSequenceEncoder):
    """RecBole's NARM (CIKM 2017) over the item's users."""


class SASRec(RecBoleSequenceEncoder):
    """RecBole's SASRec (ICDM 2018) over the item's users."""


class STAMP(RecBoleSequenceEncoder):
    """RecBole's STAMP (KDD 2018) over the item's users."""
