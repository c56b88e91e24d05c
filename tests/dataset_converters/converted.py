"""What a conversion wrote, read without any of the package's own code."""

from __future__ import annotations

import csv
import json
from pathlib import Path


class Converted:
    """A data set folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report = json.loads((folder / f"{folder.name}.report.json").read_text("utf-8"))

    def header(self, suffix: str) -> list[str]:
        """The first line, split."""
        return self.lines(suffix)[0]

    def rows(self, suffix: str) -> list[list[str]]:
        """The other lines, split."""
        return self.lines(suffix)[1:]

    def lines(self, suffix: str) -> list[list[str]]:
        """All lines as the reader that RecBole uses splits them."""
        path = self.folder / f"{self.folder.name}.{suffix}"
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.reader(file, delimiter="\t"))


def raw_rows(path: Path, separator: str = ",", header: bool = False) -> list[list[str]]:
    """The cells of a raw file without quotes."""
    lines = path.read_text("utf-8").splitlines()[header:]
    return [line.split(separator) for line in lines]
