"""A mistake on the command line is one line that says what would work, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_mwuf.cli import main, run_command

ROOT = Path(__file__).parents[2]

# the command line, and what the line says
WRONG = [
    ("help", "there is no command 'help'; recbole-mwuf takes run, tune, experiment"),
    ("runn", "there is no command 'runn'; did you mean run?"),
    ("--epochs=two", "epochs is 'two', but must be int >= 1"),
    ("--epochs=", "'--epochs=' has no value; write --epochs=VALUE"),
    ("--epochs", "'--epochs' has no value; write --epochs=VALUE"),
    ("--epochs 3", "'--epochs' has no value; write --epochs=3"),
    ("epochs=3", "'epochs=3' is not a setting; write --epochs=3"),
    ("-epochs=3", "'-epochs=3' is not a setting; write --epochs=3"),
    ("run MWUF", "'MWUF' is not a setting; write --NAME=VALUE"),
    ("--epochs=1 --epochs=2", "epochs is given twice: 1 and 2"),
    ("--learning_rate=1e9", "learning_rate is 1000000000.0, but must be"),
    ("--train_batch_size=0", "train_batch_size is 0, but must be int >= 1"),
    ("--seed=-1", "seed is -1, but must be"),
    ("--nproc=0", "nproc is 0, but must be"),
    ("--learner=adm", "learner is 'adm', but must be adam or adamw or sgd"),
    ("--warm_up_optimizer=continue", "but must be continued or fresh"),
    ("--modle=MWUF", "there is no setting 'modle'. Did you mean 'model'?"),
    ("--model=MWF", "there is no model 'MWF'. Did you mean MWUF"),
    ("--model=MWF --help", "there is no model 'MWF'. Did you mean MWUF"),
    ("--base=MWUF", "base=MWUF is a warm-up method"),
    ("--base=LR", "base=LR cannot be warmed up"),
    ("--model=BPR", "BPR is a general recommender"),
    ("--config_files=nowhere.yaml", "config_files: cannot read 'nowhere.yaml'"),
    ("--dataset=../x", "dataset is '../x', but must be a name"),
    ("--metrics=['Recall']", "metrics: 'Recall' does not score labelled samples; use some of"),
    ("--eval_step=1", "eval_step=1: early stopping scores held-out new items"),
    ("--score_validation=True", "score_validation needs validation_items"),
    ("tune --algo=bayse", "algo is 'bayse', but must be exhaustive or bayes or random"),
    ("tune --params_file=none.hyper", "params_file: cannot read 'none.hyper'"),
    ("tune help", "'help' is not a setting"),
    ("experiment", "say what to run: --preset all|all_fresh|table1|"),
    ("experiment --preset nothing", "there is no preset 'nothing'; use all, all_fresh, table1"),
    ("experiment --preset", "argument --preset: expected at least one argument"),
    ("experiment --models FM --runs 0", "argument --runs: found '0', expected a whole number"),
    ("experiment --model=FM", "--model is for a single run; a grid takes --models"),
    ("experiment --models FM --epoch=2", "there is no setting 'epoch'. Did you mean 'epochs'?"),
    ("convert movilens", "argument DATASET: invalid choice: 'movilens'"),
    ("convert movielens --input x", "the following arguments are required: --output"),
    ("convert movielens --input x --output y --phase_size -1", "argument --phase_size: "),
    ("convert movielens --input nowhere.zip --output y", "nowhere.zip"),
    ("warm --checkpoint nowhere.pth --output e.csv", "there is no checkpoint 'nowhere.pth'"),
    ("warm --checkpoint x.pth --output e.csv --kind hot", "argument --kind: invalid choice: 'hot'"),
    ("score", "the following arguments are required: --checkpoint, --output, --pairs"),
    ("export --checkpoint x.pth --output=o --onnx", "unrecognized arguments: --onnx"),
]


def assert_one_line(status: int, output: str, errors: str, message: str) -> None:
    assert status == 2
    assert output == ""
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(Path().iterdir())


@pytest.mark.parametrize(("command", "message"), WRONG, ids=[command for command, _ in WRONG])
def test_wrong_use(command, message, capsys):
    status = main(command.split())
    assert_one_line(status, *capsys.readouterr(), message)


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (["run_recbole_mwuf.py"], ["help"], "run_recbole_mwuf.py takes run, tune"),
        (["run_recbole_mwuf.py"], ["--epochs=two"], "epochs is 'two'"),
        (["run_recbole_mwuf.py"], ["score"], "see run_recbole_mwuf.py score --help"),
        (["run_hyper.py"], ["--algo=bayse"], "algo is 'bayse'"),
        (["run_benchmark.py"], ["--runs", "0"], "see run_benchmark.py --help"),
        (["-m", "dataset_converters"], ["x"], "see python -m dataset_converters --help"),
    ],
)
def test_wrong_use_of_a_script(script, arguments, message):
    """As a shell starts them: each says its own name."""
    start = script if script[0] == "-m" else [str(ROOT / script[0])]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_line(done.returncode, done.stdout, done.stderr, message)


def test_without_hyperopt(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "hyperopt", None)
    monkeypatch.delitem(sys.modules, "recbole_mwuf.experiment.tuner", raising=False)
    monkeypatch.delattr("recbole_mwuf.experiment.tuner", raising=False)
    status = run_command("tune", [], "run_hyper.py")
    message = "run_hyper.py needs hyperopt: pip install hyperopt"
    assert_one_line(status, *capsys.readouterr(), message)


def test_an_error_of_several_lines_is_told_in_one(capsys, tmp_path_factory):
    file = tmp_path_factory.mktemp("settings") / "bad.yaml"
    file.write_text("epochs: 1\n  seed: 2\n")
    status = main([f"--config_files={file}"])
    assert_one_line(status, *capsys.readouterr(), "mapping values are not allowed here")
