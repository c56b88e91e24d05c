"""What a warm-up method may be able to do beside learning along a gradient."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_mwuf.model.item_table import ItemIDs
from recbole_mwuf.model.warm_up.stage import Stage


class Capabilities:
    """What not every method has; a method says of itself what it has.

    Attributes:
        closed_form: Whether it learns from the samples of steps 4 to 6, and online, by
            :meth:`absorb` in one pass, and not by steps along the gradient of its loss.
        ignores: Settings of the protocol that have no effect on it; who gives one is told.
        not_exported: What of its scores ``scorer.onnx`` leaves out; who exports is told.
        learns: See :class:`~recbole_mwuf.model.warm_up.method.WarmUpMethod`.
        knows_uncertainty: Whether it knows how sure a score is: :meth:`uncertainty`, :meth:`draw`.
    """

    closed_form = False
    ignores: tuple[str, ...] = ()
    knows_uncertainty = False
    not_exported: str | None = None
    learns: Mapping[Stage, tuple[str, ...]] = {}

    @classmethod
    def learns_rows(cls) -> bool:
        """Whether new items' ID parameters learn by gradient steps in the phases."""
        return "new_ids" in cls.learns.get(Stage.WARM_UP, ())

    def absorb(self, interaction: Interaction) -> None:
        """Learn from a batch of ``warm_up_loader`` outright.

        With several processes every one is given the whole batch, unless the loader shares it.
        """
        raise NotImplementedError

    def uncertainty(self, interaction: Interaction) -> tuple[Tensor, Tensor]:
        """Logits of a batch and their variances, each ``[B]``; an old item's variance is 0."""
        raise NotImplementedError

    def draw(self, items: Tensor, generator: torch.Generator) -> ItemIDs:
        """ID parameters of items ``[B]`` drawn from what is believed of them."""
        raise NotImplementedError
