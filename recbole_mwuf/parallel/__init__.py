"""Several processes: each takes a shard of every batch, and what they find is put together."""

from recbole_mwuf.parallel.shard import Shard

__all__ = ["Shard"]
