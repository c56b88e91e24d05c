"""What a data set holds, told apart; a base is used only where it has seen nothing of the test."""

import os
import shutil
from pathlib import Path

import pytest

from recbole_mwuf.cli import main
from recbole_mwuf.config import Config
from recbole_mwuf.data.fingerprint import files_digest, fingerprint
from tests.conftest import tiny_interactions, write_tiny

EXPECTED = {
    "data": "6b9c62802910c6e6",
    "split": "351981552d0a5995",
    "labels": "b25ff889ebab9273",
    "features": "ba2b48a0a51be07c",
    "held_out": "7db51784711338e2",
}
EXPECTED_FILES = "5b27b7dc9356cc68"


@pytest.fixture
def command(settings):
    """Runs the command line on the small data set; returns its exit status."""

    def call(**changes):
        given = {**settings, "dataset": "tiny", "base": "DIN", **changes}
        return main([f"--{name}={value}" for name, value in given.items()])

    return call


@pytest.fixture
def base(command) -> Path:
    """A base that was trained with the settings as they are."""
    assert command(model="DIN") == 0
    (file,) = Path("saved").glob("DIN-tiny-base-*.pth")
    return file


def changed_data(**columns) -> str:
    """The small data set with other columns in a folder of its own."""
    folder = Path("changed")
    folder.mkdir()
    write_tiny(folder, tiny_interactions().assign(**columns))
    return str(folder)


def test_the_same_with_every_version_of_pandas_and_numpy(make):
    """CI runs this with pandas 2 and 3, numpy 1 and 2."""
    assert fingerprint(make()[1]) == EXPECTED
    assert files_digest(make()[0]["data_path"], "tiny") == EXPECTED_FILES


def test_a_base_of_the_same_data_is_used(command, base):
    assert command(pretrained_base=base) == 0


@pytest.mark.parametrize("changes", [{"phase_size": 2}, {"validation_items": 0.4}])
def test_a_split_with_the_same_old_items_is_the_same_for_a_base(command, base, changes):
    assert command(pretrained_base=base, **changes) == 0


@pytest.mark.parametrize("threshold", [18, 21, 30])
def test_a_base_that_has_seen_other_rows(command, base, capsys, threshold):
    assert command(pretrained_base=base, old_item_threshold=threshold) == 2
    error = capsys.readouterr().err
    assert "differ from this run's in split (old_item_threshold)" in error
    assert len(error.strip().splitlines()) == 1


def test_a_base_that_has_learned_other_labels(command, base, capsys):
    frame = tiny_interactions()
    path = changed_data(**{"label:float": 1 - frame["label:float"]})
    assert command(pretrained_base=base, data_path=path) == 2
    assert "differ from this run's in labels (threshold" in capsys.readouterr().err


def test_labels_of_new_items_do_not_matter(command, base):
    frame = tiny_interactions()
    is_new = frame["item_id:token"] > 4
    path = changed_data(**{"label:float": (frame["label:float"] + is_new) % 2})
    assert command(pretrained_base=base, data_path=path) == 0


def test_a_base_of_other_interactions(command, base, capsys):
    frame = tiny_interactions()
    path = changed_data(**{"timestamp:float": frame["timestamp:float"][::-1].to_numpy()})
    assert command(pretrained_base=base, data_path=path) == 2
    assert "differ from this run's in data (the files in data_path" in capsys.readouterr().err


def test_a_base_of_other_features(command, base, capsys):
    file = Path(changed_data(), "tiny", "tiny.item")
    text = file.read_text()
    file.write_text(text.replace("\tc1\t", "\tc9\t"))  # the IDs are the same, the tokens are not
    assert command(pretrained_base=base, data_path="changed") == 2
    assert "differ from this run's in features (load_col" in capsys.readouterr().err


def test_a_base_that_the_scored_items_have_chosen(command, capsys):
    held_out = {"validation_items": 0.4, "eval_step": 1}
    assert command(model="DIN", **held_out) == 0
    (base,) = Path("saved").glob("DIN-tiny-base-*.pth")
    assert command(pretrained_base=base, **held_out) == 0
    assert command(pretrained_base=base) == 2
    assert "differ from this run's in held_out (validation_items;" in capsys.readouterr().err


def test_the_files_are_read_again_only_if_they_changed(tiny_path):
    folder = shutil.copytree(tiny_path / "tiny", "tiny")
    first = files_digest(folder, "tiny")
    inter = Path(folder, "tiny.inter")
    content, state = inter.read_bytes(), inter.stat()
    inter.write_bytes(content.swapcase())
    os.utime(inter, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert files_digest(folder, "tiny") == first  # same size and time: taken as the same
    os.utime(inter, ns=(0, 0))
    assert files_digest(folder, "tiny") != first
    inter.write_bytes(content)
    assert files_digest(folder, "tiny") == first


def test_what_belongs_to_the_files(tiny_path):
    folder = Path(shutil.copytree(tiny_path / "tiny", "tiny"))
    first = files_digest(folder, "tiny")
    (folder / "tiny.generated").touch()
    (folder / "tiny.rating").touch()
    (folder / "notes.inter").touch()
    assert files_digest(folder, "tiny") == first
    assert files_digest(folder, "tiny", ["rating"]) != first
    (folder / "tiny.user").rename(folder / "tiny.item2")
    assert files_digest(folder, "tiny") != first
    (folder / "tiny.inter").unlink()
    assert files_digest(folder, "tiny") is None


def test_a_config_tells_what_files_there_are(settings, tiny_path):
    shutil.copytree(tiny_path / "tiny", "elsewhere/tiny")
    here = Config("FM", "tiny", config_dict=settings)["data_files"]
    there = Config("FM", "tiny", config_dict={**settings, "data_path": "elsewhere"})["data_files"]
    assert here == there
    Path("elsewhere/tiny/tiny.user").unlink()
    there = Config("FM", "tiny", config_dict={**settings, "data_path": "elsewhere"})["data_files"]
    assert here != there
    assert Config("FM", "nowhere", config_dict=settings)["data_files"] is None
