"""A result and a report name the code that made the figures."""

import subprocess

import pytest

from recbole_mwuf import versions as module
from recbole_mwuf.experiment.report.provenance import environment
from recbole_mwuf.quick_start import run
from recbole_mwuf.versions import FIGURES_VERSION, versions


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch):
    """What this process knows of its commit is not asked, and stays."""
    monkeypatch.setattr(module, "_commit", module._commit.__wrapped__)


def test_the_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    for command in ("init -q", "-c user.name=a -c user.email=b commit -q --allow-empty -m c"):
        subprocess.run(["git", *command.split()], check=True)
    monkeypatch.setenv("GIT_DIR", "elsewhere")  # as within a hook
    commit = versions()["commit"]
    monkeypatch.delenv("GIT_DIR")
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert head.stdout.startswith(commit)
    assert len(commit) == 12


def test_an_installed_package_has_no_commit_even_within_a_repository(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q"], check=True)
    (tmp_path / "site-packages").mkdir()
    monkeypatch.setattr(module, "_ROOT", tmp_path / "site-packages")
    assert "commit" not in versions()


def test_a_report_names_versions_commit_and_figures(settings, monkeypatch):
    monkeypatch.setattr(module, "_commit", lambda: "0123456789ab-dirty")
    text = environment([run("FM", None, "tiny", config_dict=settings, saved=False).to_dict()], [])
    assert f"figures {FIGURES_VERSION}, " in text
    assert "commit 0123456789ab-dirty" in text
