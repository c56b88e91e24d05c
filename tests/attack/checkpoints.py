"""Checkpoints: foreign pickles, flipped bits, zeroed blocks, missing fields."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config as RecBoleConfig

from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.quick_start import run
from tests.attack.cases import MARK, Case
from tests.attack.settings import CODE
from tests.conftest import TINY

PAIRS = (["1", "2", "3", "4", "5", "6"] * 2, ["1", "2", "3", "4", "5", "6"] + ["7"] * 6)


class Reduce:
    """Runs a function of anyone's when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def prepare(data_path: str) -> dict[str, Path]:
    """Checkpoints of a base and of a warmed-up model, where this process stands."""
    settings = {**TINY, "data_path": data_path, "base_phases": False, "checkpoint_dir": "made"}
    result = run("MWUF", "WideDeep", "tiny", config_dict=settings)
    base = next(file for file in Path("made").glob("*base*.pth"))
    return {"warm_up": Path(str(result.checkpoint)), "base": base}


def foreign(data_path: str) -> Iterator[Case]:
    """Files that run code when a pickle is trusted."""
    import os

    config = {"model": "WideDeep", "zz": CODE}
    attacks = {
        "os.mkdir": Reduce(os.mkdir, MARK),
        "eval": Reduce(eval, CODE),
        "a RecBole Config": Reduce(RecBoleConfig, "BPR", "ml-100k", None, {"zz": CODE}),
        "numpy's reader": Reduce(np.load, "none.npy"),
        "getattr": Reduce(getattr, "text", "upper"),
        "a config that is a dict": config,
    }
    for name, attack in attacks.items():
        contents: list[tuple[str, Any]] = [
            ("config", {"state_dict": {}, "config": attack}),
            ("state_dict", {"state_dict": attack, "config": config}),
            ("all", attack),
            ("kind", {"state_dict": {}, "kind": "warm_up", "schema": 2, "settings": attack}),
        ]
        for where, content in contents:
            for protocol in (2, 4):
                title = f"{name} as {where}, protocol {protocol}"
                yield Case(title, lambda c=content, p=protocol: _load_foreign(c, p, data_path))


def _load_foreign(content: Any, protocol: int, data_path: str) -> bool:
    torch.save(content, "evil.pth", pickle_protocol=protocol)
    settings = {**TINY, "data_path": data_path, "pretrained_base": "evil.pth"}
    for load in (
        lambda: run("MWUF", "WideDeep", "tiny", config_dict=settings, saved=False),
        lambda: ItemWarmer.load("evil.pth"),
    ):
        try:
            load()
        except ValueError:  # a UserError is one; what a stray file is refused with
            continue
        return False
    return True


def damaged(file: Path, rounds: int) -> Iterator[Case]:
    """A flipped bit, a zeroed block, a shorter file: refused, or the same scores."""
    content = file.read_bytes()
    right = scores(file)
    draw = random.Random(1)
    for i in range(240 * rounds):
        place, bit = draw.randrange(len(content)), draw.randrange(8)
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        yield Case(f"bit {i}", lambda c=bytes(flipped): _same(c, right))
    for i in range(80 * rounds):
        place, size = draw.randrange(len(content)), draw.choice([16, 512, 4096])
        zeroed = (content[:place] + bytes(size) + content[place + size :])[: len(content)]
        yield Case(f"block {i}", lambda c=zeroed: _same(c, right))
    for i in range(30 * rounds):
        size = draw.randrange(len(content))
        yield Case(f"end {i}", lambda c=content[:size]: _same(c, right))


def fields(file: Path) -> Iterator[Case]:
    """A field that is missing or is something else."""
    content = torch.load(file, weights_only=True)
    right = scores(file)
    for name in content:
        without = {n: v for n, v in content.items() if n != name}
        yield Case(f"without {name}", lambda c=without: _same_content(c, right))
        for value in (None, 7, "text", [], {}, torch.zeros(3)):
            changed = {**content, name: value}
            title = f"{name} is {type(value).__name__}"
            yield Case(title, lambda c=changed: _same_content(c, right))
    for name in content["state_dict"]:
        for wrong in (float("nan"), float("inf")):
            state = {n: v.clone() for n, v in content["state_dict"].items()}
            if not state[name].is_floating_point() or not state[name].numel():
                continue
            state[name].view(-1)[0] = wrong
            changed = {**content, "state_dict": state}
            yield Case(f"{name} has {wrong}", lambda c=changed: _same_content(c, right))


def scores(file: Path) -> np.ndarray:
    """What a checkpoint says of a few pairs."""
    return ItemWarmer.load(file).score(*PAIRS)


def _same(content: bytes, right: np.ndarray) -> bool:
    Path("damaged.pth").write_bytes(content)
    return np.array_equal(scores(Path("damaged.pth")), right)


def _same_content(content: dict, right: np.ndarray) -> bool:
    with Path("damaged.pth").open("wb") as file:
        torch.save(content, file, pickle_protocol=pickle.DEFAULT_PROTOCOL - 2)
    return np.array_equal(scores(Path("damaged.pth")), right)
