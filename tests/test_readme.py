"""What the README shows is what the code does."""

import re
import subprocess
from pathlib import Path

import pytest

from recbole_mwuf.evaluator.metrics import rela_impr
from tests.compatibility import compatibility_table
from tests.sentences import scores_of

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_compatibility_table(tiny_path):
    """Generated anew by ``python -m tests.compatibility``."""
    (shown,) = re.findall(r"<!-- compatibility -->\n(.*?)\n<!-- end -->", README, re.DOTALL)
    assert shown.strip() == compatibility_table(tiny_path)


def test_ci_runs_the_readmes_test_command():
    (command,) = re.findall(r"<!-- test command -->\n```bash\n(.*?)\n```", README)
    script = (ROOT / ".ci/run").read_text()
    line = next(line for line in script.splitlines() if line.startswith("command="))
    found = subprocess.run(
        ["bash", "-c", f'{line}; echo "$command"'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == command
    assert 'bash -c "$command"' in script


def test_settings_named_in_the_readme_exist():
    from recbole_mwuf.config import Config, tuning_defaults

    known = set(Config("MWUF", "ml-1m", base="DIN").final_config_dict) | set(tuning_defaults())
    known |= {"config_files", "key", "nproc"}
    named = re.findall(r"--([a-zA-Z_]+)=", README) + re.findall(r"`([a-z]+_[a-z_]+):", README)
    assert set(named) - known == set()


def test_the_first_table_is_what_the_command_prints():
    """Seed 2021 of the committed results on ml-100k, which are its settings."""
    scores = scores_of("ml-100k")
    part = scores[(scores["section"] == "table1") & (scores["seed"] == 2021)]
    part = part[part["protocol"] == "next_phase"]
    (block,) = re.findall(r"```\n +cold.*?```", README, re.DOTALL)
    aucs = {}
    for line in re.findall(r"^next_phase auc +(.+)$", block, re.MULTILINE):
        name, *shown = line.split()
        found = aucs[name] = part.loc[part["label"] == name, "auc"].tolist()
        assert shown == [f"{auc:.4f}" for auc in found]
    plain, warmed_up = aucs["WideDeep"], aucs["MWUF(WideDeep)"]
    (shown,) = re.findall(r"^next_phase RelaImpr MWUF\(WideDeep\) +(.+)$", block, re.MULTILINE)
    assert shown.split() == [f"{rela_impr(a, b):+.1%}" for a, b in zip(warmed_up, plain)]
