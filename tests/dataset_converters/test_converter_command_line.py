"""The command as a user runs it: exit codes, messages, and never a half-written data set."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from dataset_converters import ConversionError, Options, convert, output, pipeline, settings
from dataset_converters.cli import main
from tests.dataset_converters import raw_layouts

REPOSITORY = Path(__file__).resolve().parents[2]


def arguments(source: Path, target: Path, *more: str) -> list[str]:
    return ["taobao", "--input", str(source), "--output", str(target), *more]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_from_the_shell(taobao_raw, tmp_path):
    command = [sys.executable, "-m", "dataset_converters"]
    command += arguments(taobao_raw, tmp_path / "sets" / "ads", "--min_item_count", "1")
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ".inter" in done.stdout
    assert "900 rows read" in done.stdout
    assert sorted(contents(tmp_path / "sets" / "ads")) == [
        "ads.generated", "ads.inter", "ads.item", "ads.report.json", "ads.user", "ads.yaml"
    ]  # fmt: skip
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["ads"]
    assert json.loads((tmp_path / "sets" / "ads" / "ads.report.json").read_text())["schema"] == 1


def test_error_is_one_line_without_traceback(tmp_path, capsys):
    assert main(arguments(tmp_path / "nowhere", tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert error == f"error: {tmp_path}/nowhere: no such file or folder\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "more", [["--min_item_count", "-1"], ["--label", "per_pair"], ["--on_error", "ignore"]]
)
def test_wrong_option(tmp_path, capsys, more):
    with pytest.raises(SystemExit) as stop:
        main(arguments(tmp_path, tmp_path / "out", *more))
    assert stop.value.code == 2
    assert more[0] in capsys.readouterr().err


def test_options_reach_the_conversion(taobao_raw, tmp_path, capsys):
    with open(taobao_raw / "raw_sample.csv", "a") as file:
        file.write("?\n")
    more = "--min_item_count 2 --on_error skip --max_errors 1 --drop_duplicates --phase_size 3"
    assert main(arguments(taobao_raw, tmp_path / "a", *more.split())) == 0
    report = json.loads((tmp_path / "a" / "a.report.json").read_text())
    assert report["min_item_count"] == 2
    assert sum(report["malformed"].values()) == 1
    assert report["skipped"]["duplicate"] == report["duplicates"] > 0
    assert report["protocol"] == {"old_item_threshold": 2000, "phase_size": 3}
    assert "1 malformed rows skipped" in capsys.readouterr().out
    more = more.replace("--max_errors 1", "--max_errors 0")
    assert main(arguments(taobao_raw, tmp_path / "b", *more.split())) == 2


def test_existing_output_needs_overwrite(taobao_raw, tmp_path, capsys):
    target = tmp_path / "out"
    assert main(arguments(taobao_raw, target, "--min_item_count", "1")) == 0
    before = contents(target)
    assert main(arguments(taobao_raw, target, "--min_item_count", "0")) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert contents(target) == before
    assert main(arguments(taobao_raw, target, "--min_item_count", "0", "--overwrite")) == 0
    assert contents(target).keys() == before.keys()
    assert contents(target) != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "taobao-raw"]


def test_overwrite_spares_what_no_converter_wrote(taobao_raw, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert main(arguments(taobao_raw, tmp_path / "out", "--overwrite")) == 2
    assert "would remove notes.txt" in capsys.readouterr().err
    assert contents(tmp_path / "out") == {"notes.txt": b"mine"}


def test_an_empty_folder_is_no_output(taobao_raw, tmp_path):
    (tmp_path / "out").mkdir()
    assert main(arguments(taobao_raw, tmp_path / "out", "--min_item_count", "0")) == 0
    assert len(contents(tmp_path / "out")) == 6


def test_output_that_is_a_file(taobao_raw, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert main(arguments(taobao_raw, tmp_path / "out", "--overwrite")) == 2
    assert "expected a folder or nothing" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


# Converts argv[2] to argv[3], but waits when half of the .inter file is written.
PAUSED = """
import sys, time
from dataset_converters import cli, output, signals
signals.end_at_signals()
original = output.write_atomic
def paused(path, frames, types):
    def slow():
        for frame in frames:
            yield frame[:10]
            open(sys.argv[1], "w").close()
            time.sleep(60)
    return original(path, slow(), types)
import dataset_converters.pipeline as pipeline
pipeline.write_atomic = paused
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_killed_conversion_leaves_the_target_as_it_was(taobao_raw, tmp_path, sent, code, existing):
    home, reached = tmp_path / "home", tmp_path / "reached"
    home.mkdir()
    command = arguments(taobao_raw, home / "out", "--min_item_count", "0", "--overwrite")
    if existing:
        convert(Options("taobao", [taobao_raw], home / "out", min_item_count=1))
    before = contents(home / "out") if existing else None
    process = subprocess.Popen(
        [sys.executable, "-c", PAUSED, str(reached), *command],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not reached.exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    assert reached.exists()
    process.send_signal(sent)
    _, error = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in error
    assert (contents(home / "out") if (home / "out").exists() else None) == before
    if sent != signal.SIGKILL:  # after which nobody can clean up
        assert [path.name for path in home.iterdir()] == (["out"] if existing else [])


@pytest.mark.parametrize("existing", [False, True])
def test_full_disk_leaves_the_target_as_it_was(taobao_raw, tmp_path, existing):
    home = tmp_path / "home"
    home.mkdir()
    if existing:
        convert(Options("taobao", [taobao_raw], home / "out", min_item_count=1))
    before = contents(home / "out") if existing else None
    command = arguments(taobao_raw, home / "out", "--min_item_count", "0", "--overwrite")
    # A file size limit fails a write just as a full disk does.
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000));"
        "from dataset_converters.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, *command],
        check=False,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    message = r"error: out.inter: cannot be written: File too large; the disk at \S+ has .* free\n"
    assert re.fullmatch(message, done.stderr)
    assert (contents(home / "out") if (home / "out").exists() else None) == before
    assert [path.name for path in home.iterdir()] == (["out"] if existing else [])


def test_failing_rename_brings_the_old_output_back(taobao_raw, tmp_path, monkeypatch):
    target = tmp_path / "out"
    convert(Options("taobao", [taobao_raw], target, min_item_count=1))
    before = contents(target)
    original = Path.rename

    def rename(self, other):
        if ".partial-" in self.name:
            raise OSError("no")
        return original(self, other)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="no"):
        convert(Options("taobao", [taobao_raw], target, min_item_count=0, overwrite=True))
    assert contents(target) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "taobao-raw"]


@pytest.mark.parametrize(
    ("command", "name", "expected"),
    [("taobao", "taobao-ad", (2000, 500, 1501)), ("cikm2019", "cikm2019", (350, 50, 151))],
)
def test_n_and_k_come_from_the_properties(command, name, expected, tmp_path):
    raw, out = tmp_path / "raw", tmp_path / "out"
    sizes = {"rows": 100, "users": 9, "items": 9, "without_features": 0}
    if command == "taobao":
        sizes = {"rows": 100, "profiles": 9, "ads": 9, "users_without_profile": 0}
    getattr(raw_layouts, f"write_{command}")(raw, copies=0, **sizes)
    n, k, minimum = expected
    with pytest.raises(ConversionError, match=f"no item has {minimum} interactions"):
        convert(Options(command, [raw], out))
    convert(Options(command, [raw], out, min_item_count=0))
    written = yaml.safe_load((out / "out.yaml").read_text())
    assert (written["old_item_threshold"], written["phase_size"]) == (n, k)
    shipped = yaml.safe_load((REPOSITORY / "properties" / "dataset" / f"{name}.yaml").read_text())
    assert written == shipped


def test_properties_of_an_installed_package(tmp_path, monkeypatch):
    folder = tmp_path / "recbole_mwuf" / "properties" / "dataset"
    folder.mkdir(parents=True)
    (folder / "taobao-ad.yaml").write_text("{old_item_threshold: 7, phase_size: 2, other: 1}")
    (tmp_path / "recbole_mwuf" / "__init__.py").write_text("raise ImportError('imported')")
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "lib" / "x" / "settings.py"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "recbole_mwuf", raising=False)
    assert settings.protocol("taobao-ad") == {"old_item_threshold": 7, "phase_size": 2}
    assert settings.protocol("elsewhere", "taobao-ad")["phase_size"] == 2


def test_without_properties_n_and_k_must_be_given(taobao_raw, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "properties_folder", lambda: None)
    options = Options("taobao", [taobao_raw], tmp_path / "out")
    with pytest.raises(ConversionError, match="pass --min_item_count, or --old_item_threshold"):
        convert(options)
    options.min_item_count = 0
    convert(options)
    report = json.loads((tmp_path / "out" / "out.report.json").read_text())
    assert report["items_by_group"] is None
    options = Options("taobao", [taobao_raw], tmp_path / "b", old_item_threshold=9, phase_size=1)
    assert convert(options).min_item_count == 4


def test_neither_torch_nor_recbole_is_imported():
    script = "import sys, dataset_converters.cli; print({'torch', 'recbole'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stdout == "set()\n", done.stderr


def test_large_tables_are_written_in_parts(taobao_raw, tmp_path, monkeypatch):
    convert(Options("taobao", [taobao_raw], tmp_path / "a", min_item_count=3))
    monkeypatch.setattr(output, "ROWS_AT_A_TIME", 7)
    assert pipeline.slices is output.slices
    convert(Options("taobao", [taobao_raw], tmp_path / "b", min_item_count=3))
    for suffix in ("inter", "user", "item"):
        assert (tmp_path / "a" / f"a.{suffix}").read_bytes() == (
            tmp_path / "b" / f"b.{suffix}"
        ).read_bytes()
    assert os.path.getsize(tmp_path / "a" / "a.inter") > 1000
