"""What a user gets who installs the wheel and works in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run_python(code: str, site: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_every_properties_file_is_in_the_wheel(installed):
    def files(root):
        return {str(f.relative_to(root)) for f in (root / "properties").rglob("*.*")}

    expected, found = files(ROOT), files(installed / "recbole_mwuf")
    assert found == expected
    assert not (installed / "tests").exists()


@pytest.mark.slow
def test_settings_and_converter_work_from_the_wheel(installed):
    done = run_python(
        "import recbole_mwuf.settings as s; from recbole_mwuf.cli import main;"
        "from recbole_mwuf import Config;"
        f"assert str(s.properties_dir()).startswith({str(installed)!r}), s.properties_dir();"
        "print(Config('MWUF', 'ml-1m', base='DIN')['phase_size'], main(['--help']))",
        installed,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == ["20", "0"]
    done = run_python(
        "import sys, runpy; sys.argv = ['x', 'movielens', '--help'];"
        "runpy.run_module('dataset_converters', run_name='__main__')",
        installed,
    )
    assert done.returncode == 0, done.stderr
    assert "--input" in done.stdout
    entry_points = next(installed.glob("*.dist-info")) / "entry_points.txt"
    assert "recbole-mwuf = recbole_mwuf.cli:main" in entry_points.read_text()
