"""Many scorers and one observer share an ItemWarmer."""

from __future__ import annotations

import time
from threading import Event, Thread

import numpy as np
import pandas as pd
import pytest

from recbole_mwuf.online import ItemWarmer


class Worker(Thread):
    """Calls a function until all are to stop; keeps how often, and what it raised."""

    def __init__(self, function, stop: Event):
        super().__init__()
        self.function, self.stop = function, stop
        self.calls, self.error = 0, None

    def run(self):
        try:
            while not self.stop.is_set():
                self.function(self.calls)
                self.calls += 1
        except BaseException as error:
            self.error = error
            self.stop.set()


@pytest.mark.parametrize(
    "seconds", [1.5, pytest.param(10, marks=pytest.mark.slow)], ids=["short", "long"]
)
@pytest.mark.parametrize("base", ["WideDeep", "DIN"])
def test_old_items_keep_their_scores_while_others_learn(arrive, base, seconds):
    arrived = arrive(base=base)
    warmer = ItemWarmer.load(arrived.path)
    old = arrived.interactions("old")[:60]
    new = arrived.interactions("test")
    both = pd.concat([old, new])
    expected = warmer.score(both["user_id"], both["item_id"])[: len(old)]
    coming = arrived.interactions("warm_a")
    stop = Event()

    def score(_):
        scores = warmer.score(both["user_id"], both["item_id"])
        assert np.array_equal(scores[: len(old)], expected)
        assert ((scores > 0) & (scores < 1)).all()

    def observe(turn):
        features = {"item_id": [f"new-{turn}"], "category": ["c1"], "tags": ["t0"]}
        warmer.add_items(pd.DataFrame(features))
        rows = pd.concat([coming, coming[:1].assign(item_id=f"new-{turn}")])
        warmer.observe(rows.assign(timestamp=2e9 + turn), networks=True)

    workers = [Worker(score, stop), Worker(score, stop), Worker(observe, stop)]
    for worker in workers:
        worker.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stop.is_set():
        time.sleep(0.05)
    stop.set()
    for worker in workers:
        worker.join()
    assert [worker.error for worker in workers] == [None] * 3
    assert all(worker.calls > 2 for worker in workers)
