"""The pages for guests do what they show: their code is run, block by block, in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.guests import PACKAGE, ROOT, environment

DOCS = ROOT / "docs"
BLOCK = re.compile(r"(?:^<!-- file: (\S+) -->\n)?^```(\w+)\n(.*?)^```$", re.M | re.S)
NUMBER = re.compile(r"[+-]?\d+\.\d+")


class Block(NamedTuple):
    """A code block: the file that it is the content of, or empty; its language and its text."""

    file: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))]


def execute(block: Block) -> str:
    """Run a block where we are; returns what it prints."""
    program = [sys.executable, "-"] if block.language == "python" else ["bash", "-e"]
    done = subprocess.run(
        program,
        input=block.text,
        env=environment(Path("site").resolve()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def missing(text: str, output: str) -> list[str]:
    """Lines of a page that an output does not have, up to the last digits of its numbers."""
    lines = output.splitlines()
    return [line for line in text.splitlines() if line != "..." and not _is_among(line, lines)]


def _is_among(line: str, lines: list[str]) -> bool:
    words, numbers = NUMBER.sub("#", line).split(), [float(n) for n in NUMBER.findall(line)]
    for other in lines:
        found = [float(n) for n in NUMBER.findall(other)]
        near = all(abs(a - b) <= _tolerance(a) for a, b in zip(numbers, found))
        if NUMBER.sub("#", other).split() == words and near:
            return True
    return False


def _tolerance(value: float) -> float:
    """Another machine's metrics differ in the last digits, and percentages of them by more."""
    return 0.005 if abs(value) < 1 else 0.1 * abs(value)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["add_a_method.md", "add_a_base.md"])
def test_a_page_runs_as_it_stands(page):
    output = ""
    for block in blocks(page):
        if block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "text":
            assert not missing(block.text, output), output
        else:
            output = execute(block)


@pytest.mark.parametrize(
    ("page", "module"), [("add_a_method.md", "k_nearest.py"), ("add_a_base.md", "gated_mlp.py")]
)
def test_a_page_shows_the_guests_module(page, module):
    (shown,) = (b.text for b in blocks(page) if b.file == module)
    assert shown == (PACKAGE / module).read_text(encoding="utf-8")


def test_the_pages_are_read_whole():
    """A block that the expression misses would not be run."""
    for page in ("add_a_method.md", "add_a_base.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert len(blocks(page)) == text.count("\n```") // 2 > 6
    kinds = {(bool(b.file), b.language) for b in blocks("add_a_method.md")}
    files = {(True, "python"), (True, "toml")}
    assert kinds == files | {(False, language) for language in ("python", "bash", "text")}


def test_another_figure_is_found():
    shown = "next_phase auc  WideDeep  0.6665  0.6973"
    assert missing(f"{shown}\n...\n", "x\nnext_phase auc WideDeep   0.6664 0.6975\n") == []
    assert missing(shown, "next_phase auc WideDeep 0.6665 0.7473") == [shown]
    assert missing(shown, "next_phase auc DCN 0.6665 0.6973") == [shown]
