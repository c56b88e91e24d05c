"""What comes in online: items, interactions, pairs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recbole_mwuf.online import ItemWarmer
from tests.attack.cases import Case
from tests.attack.checkpoints import PAIRS

IDS = ["", " ", None, float("nan"), 0, -1, 1.5, True, "\ud800", "[PAD]", "é", "a" * 10**5, ["1"]]
TIMES = [None, "", "soon", float("nan"), float("inf"), -float("inf"), "inf", "1e400"]
TIMES += [datetime(2020, 1, 1), pd.Timestamp("2020-01-01"), "2020-01-01", True, [1]]
LABELS = [None, "", 2, -1, 0.5, "yes", float("nan"), [1]]
TEXTS = [None, "", "c9", "t1 " * 2000, " ".join(map(str, range(20_000))), ["t1", None], 5, "\ud800"]
EVENT_IDS = [None, "", float("nan"), "\ud800", ["1"]]
GOOD = {"user_id": "3", "item_id": "5", "label": 1, "timestamp": 3e9, "event_id": "e"}


def cases(file: Path) -> Iterator[Case]:
    """One bad value each; a refusal must leave everything as it was."""
    columns: dict[str, list[Any]] = {
        "user_id": IDS,
        "item_id": IDS,
        "label": LABELS,
        "timestamp": TIMES,
        "event_id": EVENT_IDS,
    }
    for name, values in columns.items():
        for value in values:
            for extra in (0, 2):
                title = f"observe {name}={value!r:.20} beside {extra} good ones"
                yield Case(title, lambda n=name, v=value, e=extra: _observe(file, n, v, e))
    for name in GOOD:
        yield Case(f"observe without {name}", lambda n=name: _observe_without(file, n))
    for value in IDS:
        yield Case(f"add_items item_id={value!r:.20}", lambda v=value: _add(file, v, "c1", "t1"))
        yield Case(f"score user={value!r:.20}", lambda v=value: _score(file, v, "5"))
        yield Case(f"score item={value!r:.20}", lambda v=value: _score(file, "3", v))
    for value in TEXTS:
        yield Case(f"add_items tags={value!r:.20}", lambda v=value: _add(file, "new", "c1", v))
        yield Case(f"add_items category={value!r:.20}", lambda v=value: _add(file, "new", v, "t1"))


def _state(warmer: ItemWarmer) -> list[np.ndarray]:
    return [warmer.score(*PAIRS), *(t.numpy().copy() for t in warmer.items.tensors().values())]


def _untouched(warmer: ItemWarmer, before: list[np.ndarray]) -> None:
    for now, then in zip(_state(warmer), before):
        assert np.array_equal(now, then), "a refusal left traces"


def _guarded(file: Path, call: Any) -> bool:
    """Refused without a trace, or accepted with finite scores and saved and loaded as it is."""
    warmer = ItemWarmer.load(file)
    before = _state(warmer)
    try:
        call(warmer)
    except ValueError:
        _untouched(warmer, before)
        raise
    after = warmer.score(*PAIRS)
    warmer.save("state.pth")
    again = ItemWarmer.load("state.pth").score(*PAIRS)
    return bool(np.isfinite(after).all()) and np.array_equal(after, again)


def _observe(file: Path, name: str, value: Any, n_good: int) -> bool:
    rows = [{**GOOD, "event_id": f"good {i}"} for i in range(n_good)]
    frame = pd.DataFrame([*rows, GOOD]).astype(object)
    frame.at[n_good, name] = value
    return _guarded(file, lambda warmer: warmer.observe(frame))


def _observe_without(file: Path, name: str) -> bool:
    frame = pd.DataFrame([GOOD]).drop(columns=name)
    return _guarded(file, lambda warmer: warmer.observe(frame))


def _add(file: Path, item: Any, category: Any, tags: Any) -> bool:
    frame = pd.DataFrame({"item_id": [None], "category": [None], "tags": [None]}).astype(object)
    for name, value in (("item_id", item), ("category", category), ("tags", tags)):
        frame.at[0, name] = value
    return _guarded(file, lambda warmer: warmer.add_items(frame))


def _score(file: Path, user: Any, item: Any) -> bool:
    return bool(np.isfinite(ItemWarmer.load(file).score([user], [item])).all())
