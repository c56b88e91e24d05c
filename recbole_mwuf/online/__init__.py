"""New items in production: warmed up as their interactions come in, without retraining."""

from recbole_mwuf.online.item_warmer import ItemWarmer
from recbole_mwuf.online.outcomes import Added, Observed
from recbole_mwuf.online.scoring import Scored

__all__ = ["Added", "ItemWarmer", "Observed", "Scored"]
