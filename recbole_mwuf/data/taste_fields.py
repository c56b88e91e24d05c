"""The fields that taste features are made of, and the names of those features."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from recbole.utils import FeatureSource, FeatureType

from recbole_mwuf.data.protocols import Fields
from recbole_mwuf.errors import UserError

TASTE_SETTINGS = ("taste_fields", "taste_user_fields", "taste_bands", "taste_folds", "taste_online")
UNDIVIDED = 2  # how many buckets RecBole gives a float field that is not cut into buckets


def names_of(fields: list[str], user_fields: list[str], many_valued: list[str]) -> list[str]:
    """Names of the numbers that fields of items and users lead to."""
    names = ["user"]
    for field in fields:
        kinds = ["mean", "count"]
        if field in many_valued:
            kinds += ["min", "max", "set_mean", "set_count"]
        names += [f"{field}_{kind}" for kind in kinds]
    names += [f"all_{field}" for field in fields]
    names += [f"all_{one}_{other}" for one, other in combinations(fields, 2)]
    names += [f"{user}_{field}" for user in user_fields for field in fields]
    return [f"taste_{name}" for name in names]


def possible_names(settings: Mapping[str, Any]) -> list[str]:
    """Names of all numbers that ``taste_fields`` and ``taste_user_fields`` can lead to.

    A field whose items have one value each leads to fewer; which fields do, the data will tell.
    """
    fields = list(settings["taste_fields"] or ())
    return names_of(fields, list(settings["taste_user_fields"] or ()), fields) if fields else []


def check_fields(dataset: Fields, fields: list[str], user_fields: list[str]) -> None:
    """Refuse fields that are no tokens of items or users."""
    tokens = [FeatureType.TOKEN, FeatureType.TOKEN_SEQ]
    wanted = [
        ("taste_fields", fields, dataset.fields(tokens, [FeatureSource.ITEM])),
        ("taste_user_fields", user_fields, dataset.fields(tokens[:1], [FeatureSource.USER])),
    ]
    for setting, given, known in wanted:
        for field in given:
            if field not in known:
                raise UserError(
                    f"{setting}: '{field}' is not among the loaded token features {known}; see "
                    "load_col"
                )
        if len(set(given)) < len(given):
            raise UserError(f"{setting}={given} names a field twice")
