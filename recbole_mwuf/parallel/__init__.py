"""Several processes: each takes a shard of every batch, and what they find is put together."""

from recbole_mwuf.parallel.shard import Shard
from recbole_mwuf.parallel.threads import use_threads

__all__ = ["Shard", "use_threads"]
