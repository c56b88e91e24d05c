"""The conformance kit: tests that a warm-up method or a base of anyone's must pass.

    from recbole_mwuf.testing import MethodConformance

    class TestMyMethod(MethodConformance):
        method = MyMethod

pytest collects the tests of a subclass; ``recbole_mwuf.testing.data`` writes the data that they
run on. It needs pytest, which the rest of the package does not.
"""

import pytest

for _module in ("base", "common", "method", "phases", "settings"):
    pytest.register_assert_rewrite(f"recbole_mwuf.testing.{_module}")  # for messages with values

from recbole_mwuf.testing.base import BaseConformance  # noqa: E402
from recbole_mwuf.testing.method import MethodConformance  # noqa: E402

__all__ = ["BaseConformance", "MethodConformance"]
