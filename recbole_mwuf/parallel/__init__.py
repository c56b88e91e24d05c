"""Several processes: each takes a shard of every batch, and what they find is put together."""

from recbole_mwuf.parallel.draws import part_of, whole_batch_draws
from recbole_mwuf.parallel.shard import Shard

__all__ = ["Shard", "part_of", "whole_batch_draws"]
