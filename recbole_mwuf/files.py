"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "figures.txt"
        >>> with atomic_write(target) as part:
        ...     _ = part.write_text("0.5")
        >>> target.read_text()
        '0.5'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())  # a crash of the machine must not leave a name without data
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def plain_values(settings: dict) -> dict:
    """Settings as JSON values; a device or an enum by its name."""
    return json.loads(json.dumps(settings, default=str, sort_keys=True))


def write_json(path: str | Path, content: dict) -> None:
    """Write a JSON file; NaN is refused, since it is no JSON."""
    text = json.dumps(content, indent=1, allow_nan=False)
    with atomic_write(path) as part:
        part.write_text(text + "\n", encoding="utf-8")
