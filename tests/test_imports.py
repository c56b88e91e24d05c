"""Imports go down a list, never up, and never in a circle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "recbole_mwuf"
# from the top: a module may import what stands below it, and its own row
ORDER = [
    "cli",
    "experiment",
    "testing",
    "integration",
    "online",
    "quick_start",
    "output_files",
    "trainer",
    "config",
    "evaluator",
    "registry",
    "model.warm_up",
    "model.objective",
    "model.item_table",
    "model.base",
    "data",
    "parallel",
    "recbole_models",
    "compat",
    "logs",
    "guests",
    "versions",
    "settings",
    "kinds",
    "files",
    "errors",
]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path, modules: set[str]) -> set[str]:
    """Modules of this package that a file names, in imports anywhere or as text to import."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & modules) or {node.module}
            found |= {node.module} if names - modules else set()
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} & modules  # import_module("...")
    return {name for name in found if name.split(".")[0] == PACKAGE}


def graph() -> dict[str, set[str]]:
    files = {module_name(file): file for file in (ROOT / PACKAGE).rglob("*.py")}
    return {name: imports_of(file, set(files)) - {name} for name, file in files.items()}


def row(module: str) -> int:
    """Where a module stands in the list; the package's own face stands beside the lowest."""
    inside = module.removeprefix(f"{PACKAGE}.")
    for number, name in enumerate(ORDER):
        if inside == name or inside.startswith(f"{name}."):
            return number
    assert module in (PACKAGE, f"{PACKAGE}.model"), f"{module} has no place in the list"
    return len(ORDER)


def test_imports_go_down():
    for module, imported in graph().items():
        if module == PACKAGE:  # names there are loaded when they are first used
            continue
        up = {name for name in imported if row(name) < row(module)}
        assert not up, f"{module} imports {sorted(up)}, which stand above it"


def test_no_circle():
    """Not within a row either."""
    known = graph()
    known[PACKAGE] = set()
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join([*path, module])}"
        if module not in done:
            for name in known.get(module, ()):
                visit(name, (*path, module))
            done.add(module)

    for module in known:
        visit(module, ())


def test_the_test_finds_what_it_looks_for(tmp_path):
    """A function's own import, a text and a name of a package count."""
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from recbole_mwuf.cli import run\n"
        "x = 'recbole_mwuf.online'\nfrom recbole_mwuf import __version__\n"
    )
    modules = {"recbole_mwuf", "recbole_mwuf.cli", "recbole_mwuf.cli.run", "recbole_mwuf.online"}
    assert imports_of(file, modules) == modules - {"recbole_mwuf.cli"}


@pytest.mark.parametrize("folder", [PACKAGE, "dataset_converters"])
def test_no_module_over_300_lines(folder):
    sizes = {
        f: len(f.read_text(encoding="utf-8").splitlines()) for f in (ROOT / folder).rglob("*.py")
    }
    assert {str(file): size for file, size in sizes.items() if size > 300} == {}


def test_the_converters_stand_alone():
    for file in (ROOT / "dataset_converters").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not any(f"import {name}" in text for name in ("torch", "recbole", PACKAGE)), file
        assert not any(f"from {name}" in text for name in ("torch", "recbole", PACKAGE)), file
