"""``recbole-mwuf convert``: raw files to RecBole's atomic files."""

from __future__ import annotations

from argparse import Namespace

from dataset_converters.cli import main as convert


def main(options: Namespace) -> int:
    """Run ``dataset_converters`` under this program's name."""
    return convert(options.arguments, options.prog)
