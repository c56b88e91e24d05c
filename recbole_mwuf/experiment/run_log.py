"""Who ran what, when and where: a line of the report for every call that executed something."""

from __future__ import annotations

import json
import os
import platform
from datetime import datetime, timezone
from logging import getLogger
from pathlib import Path
from time import perf_counter
from typing import Any

from recbole_mwuf.files import set_aside, write_json


class RunLog:
    """One call of the benchmark, noted in a file beside the results.

    Args:
        file: The file; earlier calls stand in it.
        command: The command line.
        workers: Runs at a time.
    """

    def __init__(self, file: Path, command: str, workers: int):
        self._file = file
        self._earlier = read_run_log(file)
        self._start = perf_counter()
        self._content: dict[str, Any] = {
            "command": command,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": 0.0,
            "workers": workers,
            "finished": 0,
            "failed": 0,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
        }

    def note(self, outcome: str) -> None:
        """Count a run as ``finished`` or ``failed`` and write the file, since any may be the last.

        Args:
            outcome: ``finished`` or ``failed``.
        """
        self._content[outcome] += 1
        self._content["seconds"] = round(perf_counter() - self._start, 1)
        write_json(self._file, {"run_log": [*self._earlier, self._content]})


def read_run_log(file: Path) -> list[dict]:
    """The calls that a file holds, oldest first; none if there is no file.

    A file that is damaged is named and set aside: the runs do not need it.
    """
    if not file.is_file():
        return []
    try:
        return list(json.loads(file.read_text(encoding="utf-8"))["run_log"])
    except (ValueError, KeyError, TypeError) as error:
        getLogger().error(f"'{file}' is damaged: {error}. Set aside as '{set_aside(file)}'")
        return []
