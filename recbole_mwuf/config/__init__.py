"""Settings: where they come from, what they may be."""

from recbole_mwuf.config.config import (
    DATA_FACTS,
    GENERATED_SUFFIX,
    Config,
    SavedConfig,
    tuning_defaults,
    with_tuning_defaults,
)

__all__ = [
    "DATA_FACTS",
    "GENERATED_SUFFIX",
    "Config",
    "SavedConfig",
    "tuning_defaults",
    "with_tuning_defaults",
]
