"""The attack of docs/reliability.md: at least a thousand cases, and all of them hold."""

from __future__ import annotations

import pytest

from tests.attack.__main__ import PAGE, attack


@pytest.mark.slow
def test_everything_holds():
    groups = attack()
    holes = [hole for group in groups for hole in group.holes]
    assert not holes, "\n".join(holes)
    assert sum(group.tried for group in groups) >= 1000
    assert all(group.tried > 5 for group in groups)


def test_the_page_has_the_table():
    assert "<!-- attack -->" in PAGE.read_text(encoding="utf-8")
