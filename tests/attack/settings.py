"""Settings: wrong values on a command line, hostile settings files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from recbole_mwuf.config import Config
from recbole_mwuf.config.arguments import literal
from tests.attack.cases import MARK, Case, product

CODE = f"__import__('os').mkdir('{MARK}')"
WRONG = ["abc", -1, "[]", "{}", "1e99", "nan", "''", "[-1]", CODE, "../../etc/passwd", "\ud800"]
FILES = {
    "a Python object": f"epochs: !!python/object/apply:os.mkdir ['{MARK}']\n",
    "a Python name": "epochs: !!python/name:os.system\n",
    "code as text": f'note: "{CODE}"\n',
    "a list": "- epochs\n",
    "text": "epochs 1\n",
    "nothing": "",
    "a broken file": "epochs: [1\n",
    "binary": "\x00\x01\x02",
    "nested deeply": "a: " + "[" * 400 + "]" * 400 + "\n",
    "an unknown anchor": "epochs: *none\n",
    "a misspelt setting": "learning_rat: 0.1\n",
    "a wrong type": "epochs: {a: 1}\n",
    "a date": "epochs: 2020-01-01\n",
    "teacher": f'model: KD_DAGFM\nteacher: "{CODE}"\n',
    "phase": "phase: end\nmodel: KD_DAGFM\nteacher: CrossNet\n",
}
NOT_SETTINGS = {"config_files", "generated_data", "base", "model", "device", "MODEL_TYPE"}
NOT_SETTINGS |= {"MODEL_INPUT_TYPE", "eval_type", "single_spec", "local_rank", "data_path"}
# dicts in which what is not given has its default
_COMPLETED = {"eval_args", "train_neg_sample_args", "valid_neg_sample_args", "test_neg_sample_args"}


def _accepts(**arguments: object) -> bool:
    """Whether the settings are taken as they are: nothing of them changes on the way."""
    config = Config(arguments=[f"--{name}={value}" for name, value in arguments.items()])
    for name, text in arguments.items():
        value, taken = literal(str(text)), config[name]
        if taken not in (value, [value], str(value)) and name not in _COMPLETED:
            return False
    return True


def cases(rounds: int) -> Iterator[Case]:
    """Every setting of a run with every wrong value."""
    names = sorted(set(Config("MWUF", "ml-100k", base="DIN").final_config_dict) - NOT_SETTINGS)
    for name, value in product(names, WRONG[: 6 if rounds == 1 else None]):
        yield Case(f"--{name}={value!r}", lambda n=name, v=value: _accepts(**{n: v}))
    for name in ("model", "base", "dataset", "metrics", "valid_metric", "teacher"):
        for value in (CODE, "../x", "", "a/b", "x" * 5000, "[1]"):
            yield Case(f"--{name}={value[:20]}", lambda n=name, v=value: _accepts(**{n: v}))


def file_cases() -> Iterator[Case]:
    """Settings files."""
    for name, text in FILES.items():
        yield Case(name, lambda t=text: _read_file(t))


def _read_file(text: str) -> bool:
    Path("hostile.yaml").write_text(text, encoding="utf-8")
    try:
        Config("MWUF", "ml-100k", config_file_list=["hostile.yaml"], base="WideDeep")
    finally:
        os.remove("hostile.yaml")
    return True
