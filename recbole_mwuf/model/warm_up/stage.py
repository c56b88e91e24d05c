"""The steps in which something learns."""

from __future__ import annotations

from enum import Enum
from typing import Union

from torch import Tensor

Losses = Union[Tensor, tuple[Tensor, ...]]  # of a batch, whole or in parts


class Stage(Enum):
    """A step of the protocol in which something learns (MWUF paper, section 4.3).

    Attributes:
        META_TRAIN: Step 2, the method's modules on old items seen as if they were new.
        WARM_UP: Steps 4 to 6, a warm-up set of the new items.
        ONLINE: The same for a few samples that have just come in.
    """

    META_TRAIN = "Meta-train"
    WARM_UP = "Warm-up"
    ONLINE = "Online"
