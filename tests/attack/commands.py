"""Command lines: one line on standard error, status 2."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from recbole_mwuf.cli import main
from tests.attack.cases import Case
from tests.attack.settings import CODE

LINES = [
    "help", "runn", "epochs=3", "-epochs=3", "--epochs", "--epochs=", "--epochs=two",
    "--epochs=1 --epochs=2", "--learning_rate=1e9", "--modle=MWUF", "--model=MWF", "--model=BPR",
    "--base=MWUF", "--base=FFM", "--seed=-1", "--config_files=nowhere.yaml", "--dataset=../x",
    "--dataset=nowhere", "--metrics=['Recall']", "--warm_up_optimizer=continue", "--nproc=0",
    "--train_batch_size=0", "--learner=adm", "tune --algo=bayse", "tune --params_file=none",
    "experiment", "experiment --preset nothing", "experiment --runs 0", "experiment --workers x",
    "experiment --preset table1 --model=MWUF", "warm", "warm --checkpoint none.pth --output x.csv",
    "score", "score --checkpoint none.pth --pairs none.csv --output x.csv", "export",
    "export --checkpoint none.pth --output x", "convert", "convert nothing", "run run",
    f"--note={CODE} --epochs=x", "--=1", "--a-b=1", "--pretrained_base=none.pth",
]  # fmt: skip


def cases() -> Iterator[Case]:
    """Wrong command lines."""
    for line in LINES:
        yield Case(line, lambda words=line: _one_line(words.split()))


def _one_line(words: list[str]) -> bool:
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = main(words)
        except SystemExit as end:
            status = int(end.code or 0)
    lines = [line for line in errors.getvalue().splitlines() if line.strip()]
    return status == 2 and len(lines) == 1 and lines[0].startswith("error:") and not out.getvalue()
