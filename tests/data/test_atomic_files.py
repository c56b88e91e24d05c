"""What cannot be meant in an atomic file is refused by its line; what is left out is told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recbole_mwuf.cli import main
from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset
from recbole_mwuf.data.atomic_files import AtomicFile
from recbole_mwuf.errors import UserError
from tests.conftest import TINY, tiny_interactions, write_tiny

LOAD_COL = TINY["load_col"]


@pytest.fixture
def tiny(tmp_path):
    """The small data set in a folder of the test's own, to be spoilt."""
    write_tiny(tmp_path)
    return tmp_path / "tiny"


def load(folder, **changes):
    settings = {**TINY, "data_path": str(folder.parent), **changes}
    return ColdStartDataset(Config("MWUF", "tiny", config_dict=settings))


def change_line(file: Path, number: int, change) -> None:
    lines = file.read_text().splitlines(keepends=True)
    lines[number - 1] = change(lines[number - 1])
    file.write_text("".join(lines))


def cell(number: int, value: str):
    """Puts a value into a line's cell."""

    def change(line):
        cells = line.rstrip("\n").split("\t")
        cells[number] = value
        return "\t".join(cells) + "\n"

    return change


SPOILT_LINES = {
    "an extra cell": (
        "inter",
        7,
        lambda t: t[:-1] + "\t9\n",
        "has 5 cells, but the header names 4",
    ),
    "a cell too few": ("inter", 7, lambda t: "\t".join(t.split("\t")[:2]) + "\n", "has 2 cells"),
    "both": ("inter", 7, lambda t: t.split("\t")[0] + "\n1\t" + t, "has 1 cells"),
    "a truncated last line": ("inter", 260, lambda t: t[:3], "has "),
    "one cell at the end": ("inter", 260, lambda t: "12", "has 1 cells"),
    "text as time": ("inter", 9, cell(3, "noon"), "timestamp is 'noon', but must be a number"),
    "two numbers": ("inter", 9, cell(3, "1 2"), "timestamp is '1 2'"),
    "Python's number": ("inter", 9, cell(3, "1_000"), "timestamp is '1_000'"),
    "infinite time": ("inter", 9, cell(3, "inf"), "timestamp is inf, but must be finite"),
    # older pandas leaves the text, newer ones read it as infinite; both are refused by line
    "a huge time": ("inter", 9, cell(3, "1e999"), "line 9: timestamp is "),
    "no time": ("inter", 9, cell(3, ""), "TIME_FIELD=timestamp is empty in 1 interactions"),
    "time NaN": ("inter", 9, cell(3, "NaN"), "TIME_FIELD=timestamp is empty"),
    "label 2": ("inter", 9, cell(2, "2.0"), "label is 2, but a label must be 0 or 1"),
    "label -1": ("inter", 9, cell(2, "-1"), "label is -1, but a label"),
    "no label": ("inter", 9, cell(2, ""), "label is empty, but there is no label without it"),
    "a quote without an end": ("inter", 9, cell(0, '"17'), "does not end"),
    "an empty file": ("item", 1, lambda t: "", "line 1: "),
    "a header without types": ("item", 1, lambda t: "item_id\tcategory\ttags\n", "'item_id' is no"),
    "an unknown type": ("item", 1, lambda t: t.replace(":token_seq", ":text"), "'tags:text' is no"),
    "another separator": ("item", 1, lambda t: t.replace("\t", ","), "field_separator is '\\t'"),
    "a column twice": ("item", 1, lambda t: t.replace("tags", "category"), "two columns of the na"),
    "a mark at the beginning": ("item", 1, lambda t: "\ufeff" + t, "begins with a byte order mark"),
}


@pytest.mark.parametrize(
    ("ending", "line", "spoil", "message"), SPOILT_LINES.values(), ids=SPOILT_LINES
)
def test_a_spoilt_line_is_refused(tiny, capsys, ending, line, spoil, message):
    file = tiny / f"tiny.{ending}"
    assert len((tiny / "tiny.inter").read_text().splitlines()) == 260
    change_line(file, line, spoil)
    given = {**TINY, "data_path": tiny.parent, "dataset": "tiny", "result_path": "r.json"}
    assert main([f"--{name}={value}" for name, value in given.items()]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith(f"error: '{file}', line {line}: ")
    assert message in error
    assert not Path("r.json").exists()


@pytest.mark.parametrize("label", ["2.0", "-1", ""])
def test_labels_of_new_items_are_checked_too(tiny, label):
    lines = (tiny / "tiny.inter").read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if line.split("\t")[1] == "7")
    change_line(tiny / "tiny.inter", number, cell(2, label))
    with pytest.raises(UserError, match=rf"tiny\.inter', line {number}: label is "):
        load(tiny)


def rated(**changes):
    frame = tiny_interactions()
    frame.insert(2, "rating:float", frame.pop("label:float") * 4 + 1)
    return frame.assign(**changes)


RATED = {
    "load_col": {**LOAD_COL, "inter": ["user_id", "item_id", "rating", "timestamp"]},
    "threshold": {"rating": 4},
}


def test_an_empty_rating_is_no_positive(tmp_path):
    frame = rated()
    frame.iloc[11, 2] = np.nan
    write_tiny(tmp_path, frame)
    with pytest.raises(UserError, match=r"inter', line 13: rating is empty, but there is no label"):
        load(tmp_path / "tiny", **RATED)
    filtered = load(tmp_path / "tiny", **RATED, val_interval={"rating": "[0,5]"})
    assert len(filtered.inter_feat) == 258


def test_the_line_is_right_after_filters_and_empty_lines(tiny):
    change_line(tiny / "tiny.inter", 3, lambda text: "\n \n" + text)
    change_line(tiny / "tiny.inter", 100, cell(2, "3"))
    with pytest.raises(UserError, match=r"tiny\.inter', line 100: label is 3"):
        load(tiny, val_interval={"timestamp": "[1000000100,inf)"})


@pytest.mark.parametrize("name", ["NA", "nan", "null", "None"])
def test_an_item_may_be_called_na(tiny, name):
    for ending, column in (("inter", 1), ("item", 0)):
        file = tiny / f"tiny.{ending}"
        head, *lines = file.read_text().splitlines()
        cells = [line.split("\t") for line in lines]
        renamed = [
            [*c[:column], name if c[column] == "6" else c[column], *c[column + 1 :]] for c in cells
        ]
        file.write_text("\n".join([head, *("\t".join(c) for c in renamed)]) + "\n")
    data = load(tiny)
    assert len(data.inter_feat) == 259
    assert name in data.field2token_id["item_id"]
    assert not data.left_out


def test_no_item_may_be_called_as_the_padding(tiny):
    change_line(tiny / "tiny.inter", 9, cell(0, "[PAD]"))
    change_line(tiny / "tiny.user", 9, cell(0, "[PAD]"))
    with pytest.raises(UserError, match=r"user_id: no value may be called \[PAD\]"):
        load(tiny)


def test_what_is_left_out_is_counted_with_the_reason(tiny, caplog):
    file = tiny / "tiny.item"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-2]))  # items 10 and 11
    change_line(tiny / "tiny.inter", 30, cell(0, ""))
    data = load(tiny, val_interval={"timestamp": "(1000000010,inf)"})
    lines = [r.getMessage() for r in caplog.records if "are left out" in r.getMessage()]
    frame = tiny_interactions()
    frame = frame.drop(frame.index[28])
    early = (frame["timestamp:float"] <= 1000000010).sum()
    without = (frame[frame["timestamp:float"] > 1000000010]["item_id:token"] >= 10).sum()
    assert lines == [
        f"dataset=tiny: {1 + early + without} of 259 interactions are left out: 1 without a user "
        f"or an item, {early} by val_interval, {without} whose user or item has no row of features "
        "(filter_inter_by_user_or_item)"
    ]
    assert len(data.inter_feat) == 258 - early - without


def test_nothing_is_told_where_nothing_is_left_out(tiny, caplog):
    load(tiny)
    assert not caplog.records


def test_nothing_is_left(tiny):
    with pytest.raises(
        UserError, match="259 of 259 interactions are left out: 259 by val_interval"
    ):
        load(tiny, val_interval={"timestamp": "[0,1]"})


def test_features_that_are_given_twice_are_counted(tiny, caplog):
    with (tiny / "tiny.item").open("a") as file:
        file.write("3\tc9\tt0\n3\tc8\tt0\n")
    load(tiny)
    assert "2 rows name a item_id again; its first row counts" in caplog.text


SETTINGS = {
    "load_col of no column": ({"load_col": {**LOAD_COL, "item": ["item_id", "categry"]}}, "categ"),
    "load_col of no file": ({"load_col": {**LOAD_COL, "net": ["a"]}}, r"tiny\.net, but there"),
    "a time that is no number": ({"TIME_FIELD": "item_id"}, "type token, but must be a float"),
    "a time that is an item's": ({"TIME_FIELD": "tags"}, "TIME_FIELD=tags is not among"),
    "an ID of one file only": ({"USER_ID_FIELD": "timestamp"}, r"among the columns .*tiny\.user'"),
    "an ID that is not there": ({"ITEM_ID_FIELD": "item"}, "ITEM_ID_FIELD=item is not among"),
    "numerical words": ({"numerical_features": ["tags"]}, "must be a float or a float_seq"),
    "a number not there": ({"numerical_features": ["price"]}, "numerical_features=price is not"),
    "a filter of nothing": ({"val_interval": {"price": "[0,1]"}}, "val_interval=price is not"),
    "a filter of tokens by numbers": ({"val_interval": {"age": "[0,1]"}}, "tokens a list"),
    "a filter of numbers by tokens": ({"val_interval": {"timestamp": [1]}}, "numbers take an inte"),
    "a filter of sequences": ({"val_interval": {"tags": ["t0"]}}, "must be a token or a float"),
    "a threshold of nothing": ({"threshold": {"rating": 4}}, "threshold=rating is not among"),
    "a length of no sequence": ({"seq_len": {"age": 4}}, "seq_len=age is a field of type token"),
}


@pytest.mark.parametrize(("changes", "message"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_name_fields(tiny, changes, message):
    with pytest.raises(UserError, match=message):
        load(tiny, **changes)


def test_a_column_in_two_files(tiny):
    file = tiny / "tiny.user"
    file.write_text(file.read_text().replace("age:token", "category:token"))
    load_col = {**LOAD_COL, "user": ["user_id", "category"]}
    with pytest.raises(UserError, match=r"tiny\.item' has the column category, as another file"):
        load(tiny, load_col=load_col)


def test_numbers_that_no_model_reads_are_told(tiny, caplog):
    file = tiny / "tiny.item"
    head, *lines = file.read_text().splitlines()
    lines = [f"{line}\t{i}.5\t{i} {i}" for i, line in enumerate(lines)]
    file.write_text("\n".join([f"{head}\tprice:float\tsizes:float_seq", *lines]) + "\n")
    load_col = {**LOAD_COL, "item": "*"}
    load(tiny, load_col=load_col)
    assert "No model reads the numbers ['price', 'sizes']: name them in numerical_" in caplog.text
    caplog.clear()
    load(tiny, load_col=load_col, numerical_features=["price", "sizes"])
    load(tiny)
    assert not caplog.records
    file.write_text(file.read_text().replace("5 5\n", "5 nan\n"))
    with pytest.raises(UserError, match=r"item', line 7: sizes is 5 nan, but must be finite"):
        load(tiny, load_col=load_col, numerical_features=["sizes"])
    file.write_text(file.read_text().replace("5 nan\n", "5 x\n"))
    with pytest.raises(UserError, match=r"item', line 7: sizes is '5 x', but must be a number"):
        load(tiny, load_col=load_col)


def test_a_row_of_very_many_words_is_cut(tiny, caplog):
    change_line(tiny / "tiny.item", 4, cell(2, " ".join(f"w{i}" for i in range(20_000))))
    data = load(tiny)
    assert data.item_feat["tags"].shape == (12, 1000)
    assert "tags has up to 20000 values in a row; 1 rows are cut after max_seq_len" in caplog.text
    assert len(data.field2id_token["tags"]) == 1 + 1000 + 3
    assert load(tiny, max_seq_length=7).item_feat["tags"].shape == (12, 7)
    assert load(tiny, seq_len={"tags": 5}).item_feat["tags"].shape == (12, 5)
    assert load(tiny, seq_len={"tags": 2000}).item_feat["tags"].shape == (12, 2000)


@pytest.mark.parametrize(("codec", "line"), [("latin-1", 2), ("utf-16", 1), ("utf-8-sig", 1)])
def test_another_encoding_is_refused_or_set(tiny, codec, line):
    file = tiny / "tiny.item"
    text = file.read_text().replace("c1", "Ärger")
    file.write_bytes(text.encode(codec))
    with pytest.raises(UserError, match=rf"tiny\.item', line {line}: .*encoding"):
        load(tiny)
    for ending in ("inter", "user"):
        other = tiny / f"tiny.{ending}"
        other.write_bytes(other.read_text().encode(codec))
    assert "Ärger" in load(tiny, encoding=codec).field2token_id["category"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path, end, last):
    file = tmp_path / "a.inter"
    lines = ["a:token\tb:float", "x\t1", 'a "b" c\t2', '"q\tr"\t3', "z\t4"]
    file.write_bytes((end.join(lines) + end * last).encode())
    assert list(AtomicFile(file).check()) == ["a", "b"]
    lines[2] = lines[2] + "\t"
    file.write_bytes((end.join(lines) + end * last).encode())
    with pytest.raises(UserError, match="line 3: has 3 cells"):
        AtomicFile(file).check()


def test_a_separator_of_two_characters(tmp_path):
    file = tmp_path / "a.inter"
    file.write_text("a:token::b:float\nx::1\ny:2\n")
    with pytest.raises(UserError, match="line 3: has 1 cells"):
        AtomicFile(file, "::").check()


def test_a_glance_finds_what_a_close_look_finds(tmp_path):
    """The fast check on random files: it may call for a closer look, but never passes a bad one."""
    rng = np.random.default_rng(3)
    file = tmp_path / "a.inter"
    plain = 0
    for _ in range(400):
        n_fields = int(rng.integers(1, 4))
        lines = ["\t".join(f"f{i}:token" for i in range(n_fields))]
        for _ in range(int(rng.integers(0, 5))):
            extra = int(rng.choice([0, 0, 0, 0, 0, 1, -1]))
            cells = rng.choice(["x", "", "12", "é"], size=max(0, n_fields + extra))
            lines.append("\t".join(cells))
        text = str(rng.choice(["\n", "\r\n"])).join(lines) + str(rng.choice(["", "\n", "\r\n"]))
        file.write_bytes(text.encode())
        atomic = AtomicFile(file)
        even = all(len(cells) == n_fields for _, cells in atomic._rows())
        glance = atomic._is_plainly_even(n_fields)
        assert even or not glance, text
        plain += glance
    assert plain > 50


def test_what_pandas_reads_is_what_was_counted(tiny):
    """As many rows as lines, whatever the file's line ends are."""
    for end in ("\n", "\r\n", "\r"):
        text = (tiny / "tiny.inter").read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        (tiny / "tiny.inter").write_bytes(text.replace(b"\n", end.encode()))
        assert len(load(tiny).inter_feat) == 259
    assert pd.__version__
