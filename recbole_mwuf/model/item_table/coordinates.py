"""Coordinates in which a base's ID embeddings are normally distributed, roughly."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from recbole_mwuf.errors import UserError

_SMALLEST = 1e-7  # keeps the logarithm of a component finite


class Coordinates(ABC):
    """A change of variables, component by component; a base names its own in ``id_coordinates``."""

    @abstractmethod
    def of(self, embedding: Tensor) -> Tensor:
        """The coordinates of ID embeddings, ``[n, k] -> [n, k]``."""

    @abstractmethod
    def embedding(self, coordinates: Tensor, signs: Tensor) -> Tensor:
        """The ID embeddings of coordinates ``[n, k]``, differentiable.

        Args:
            coordinates: What :meth:`of` returned, or others.
            signs: -1, 0 or 1, ``[n, k]`` or ``[1, k]``: those of the embeddings, where the
                coordinates do not say them.
        """


class Identity(Coordinates):
    """The embedding itself."""

    def of(self, embedding: Tensor) -> Tensor:
        return embedding

    def embedding(self, coordinates: Tensor, signs: Tensor) -> Tensor:
        return coordinates


class LogSize(Coordinates):
    """log |e|, for a base that reads the logarithm of an embedding's size.

    Examples:
        >>> e = torch.tensor([[0.5, -2.0]])
        >>> LogSize().embedding(LogSize().of(e) + 1, e.sign()) / e
        tensor([[2.7183, 2.7183]])
    """

    def of(self, embedding: Tensor) -> Tensor:
        return embedding.abs().clamp(min=_SMALLEST).log()

    def embedding(self, coordinates: Tensor, signs: Tensor) -> Tensor:
        return signs * torch.exp(coordinates)


_BY_NAME: dict[str, type[Coordinates]] = {"identity": Identity, "log_size": LogSize}


def coordinates_of(base: nn.Module) -> Coordinates:
    """The coordinates that a base names in its class attribute ``id_coordinates``.

    Raises:
        UserError: if there are none of that name.
    """
    name = getattr(base, "id_coordinates", "identity")
    if name not in _BY_NAME:
        raise UserError(
            f"base={type(base).__name__}: id_coordinates is '{name}', but must be "
            + " or ".join(_BY_NAME)
        )
    return _BY_NAME[name]()
