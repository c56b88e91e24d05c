"""``recbole-mwuf convert``: raw files to RecBole's atomic files."""

from __future__ import annotations

from dataset_converters.cli import main as convert


def main(arguments: list[str], prog: str) -> int:
    """Run ``dataset_converters`` under this program's name."""
    return convert(arguments)
