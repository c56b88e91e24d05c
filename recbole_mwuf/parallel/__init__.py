"""Several processes: each takes a shard of every batch, and what they find is put together."""

from recbole_mwuf.parallel.draws import part_of, whole_batch_draws
from recbole_mwuf.parallel.shard import Shard
from recbole_mwuf.parallel.threads import use_threads

__all__ = ["Shard", "part_of", "use_threads", "whole_batch_draws"]
