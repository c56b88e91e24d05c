"""What an ItemWarmer says that it did."""

from __future__ import annotations

from typing import NamedTuple


class Added(NamedTuple):
    """What :meth:`~recbole_mwuf.online.ItemWarmer.add_items` did.

    Attributes:
        added: New items.
        known: Items that were there before and stay as they are.
        unknown_values: By feature, values of new items that training has not seen.
    """

    added: int
    known: int
    unknown_values: dict[str, int]


class Observed(NamedTuple):
    """What :meth:`~recbole_mwuf.online.ItemWarmer.observe` did with its interactions.

    Attributes:
        learned: Learned from.
        repeated: Left out, the event has been observed before.
        unknown_users: Left out, the user has no embedding.
        old_items: Left out, the item is the base's.
        back_in_time: Learned from, although earlier than what the item had shown before.
    """

    learned: int
    repeated: int
    unknown_users: int
    old_items: int
    back_in_time: int
