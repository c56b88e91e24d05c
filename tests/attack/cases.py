"""Cases, verdicts, and the table of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recbole_mwuf.errors import UserError

# what a case may end in; everything else is a hole
HELD = ("refused", "right")
HOLES = ("executed", "wrong figures", "raw exception")
MARK = "attacked"  # the folder that executed text makes


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes:
        name: Says what is tried.
        attempt: Does it; returns whether what came out is right. A UserError is a refusal.
    """

    name: str
    attempt: Callable[[], bool] = field(repr=False)


@dataclass
class Group:
    """Cases of one kind and what became of them.

    Attributes:
        found: Verdict -> cases.
        holes: A line for every case that did not hold.
    """

    title: str
    found: Counter = field(default_factory=Counter)
    holes: list[str] = field(default_factory=list)

    def run(self, cases: Iterable[Case]) -> Group:
        """Try all cases where this process stands."""
        for case in cases:
            verdict, reason = judge(case)
            self.found[verdict] += 1
            if verdict not in HELD:
                self.holes.append(f"{self.title}: {case.name}: {verdict}: {reason}")
        return self

    @property
    def tried(self) -> int:
        return sum(self.found.values())


def judge(case: Case) -> tuple[str, str]:
    """The verdict on a case and the reason for it."""
    verdict, reason = "right", ""
    try:
        if not case.attempt():
            verdict, reason = "wrong figures", "accepted, with other figures than the right ones"
    except UserError as error:
        verdict = "refused"
        if not str(error).strip():
            verdict, reason = "raw exception", "a refusal without a reason"
    except SystemExit as end:
        verdict = "refused" if end.code == 2 else "raw exception"
        reason = f"exit status {end.code}"
    except Exception as error:
        verdict, reason = "raw exception", f"{type(error).__name__}: {error}"[:200]
    if Path(MARK).exists():
        os.rmdir(MARK)
        verdict, reason = "executed", "text was run as code"
    return verdict, reason


def table(groups: Iterable[Group]) -> str:
    """A Markdown table: groups, tried, held, and how."""
    lines = ["| group | tried | refused | right | held |", "|---|---:|---:|---:|---:|"]
    total: Counter = Counter()
    for group in groups:
        total.update(group.found)
        lines.append(_line(group.title, group.found))
    return "\n".join([*lines, _line("all", total)])


def _line(title: str, found: Counter) -> str:
    tried, held = sum(found.values()), sum(found[verdict] for verdict in HELD)
    share = f"{held} of {tried}"
    return f"| {title} | {tried} | {found['refused']} | {found['right']} | {share} |"


def product(names: Iterable[str], values: Iterable[object]) -> Iterator[tuple[str, object]]:
    """Every name with every value."""
    values = list(values)
    for name in names:
        for value in values:
            yield name, value
