"""Fails unless two result files agree to 4 decimals: python tests/same_figures.py A.json B.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path

DECIMALS = 4


def figures(path: str) -> dict:
    """``(model or base, phase, protocol, metric) -> value`` of a result file."""
    result = json.loads(Path(path).read_text(encoding="utf-8"))
    return {
        (who, phase, protocol, metric): value
        for who in ("base_phases", "phases")
        for phase, protocols in result[who].items()
        for protocol, metrics in protocols.items()
        for metric, value in metrics.items()
    }


def main(first: str, second: str) -> str | None:
    """The disagreements; None if there are none."""
    a, b = figures(first), figures(second)
    unlike = [k for k in sorted(a | b) if round(a.get(k, 0) - b.get(k, 0), DECIMALS) != 0]
    print(f"{len(a)} figures, {len(unlike)} of them unlike at {DECIMALS} decimals")
    return "\n".join(f"{key}: {a.get(key)} {b.get(key)}" for key in unlike) or None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
