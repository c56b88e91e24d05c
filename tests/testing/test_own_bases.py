"""Our own bases pass the kit that guests' bases are to pass."""

from recbole_mwuf.model.base.afn import AFN
from recbole_mwuf.model.base.din import DIN
from recbole_mwuf.model.base.sequence_encoders import GRU4Rec
from recbole_mwuf.testing import BaseConformance


class TestAFN(BaseConformance):
    base = AFN


class TestDIN(BaseConformance):
    base = DIN


class TestGRU4Rec(BaseConformance):
    base = GRU4Rec
