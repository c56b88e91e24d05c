"""The phases in the order of one clock: nobody knows what comes later, of anyone."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import torch

from recbole_mwuf.data import PHASES, ColdStartDataset
from recbole_mwuf.data.clock import Tick, ticks
from recbole_mwuf.evaluator.metrics import evaluate
from recbole_mwuf.model.warm_up.method import Stage
from recbole_mwuf.parallel.collectives import own_shard
from recbole_mwuf.trainer.scoring import Scored
from recbole_mwuf.trainer.warm_up_trainer import WarmUpTrainer


class ClockTrainer(WarmUpTrainer):
    """Steps 3 to 6 along a timeline instead of set by set.

    An item's phase is the number of warm-up sets that it has consumed when a sample of it is
    scored. There is one protocol: ``next_phase`` and ``fixed_test`` are the same figures.
    """

    def run_phases(self, dataset: ColdStartDataset) -> dict:
        start = perf_counter()
        self.start_new_items(dataset)
        parts: list[tuple[Scored, np.ndarray]] = []
        self.loop.row_updates = 0
        for tick in ticks(dataset, self.config["timeline_ticks"]):
            if len(tick.learned):
                self._learn(dataset, tick)
            if len(tick.scored):
                dataset.add_set(tick.name, tick.scored)
                scored = self._score_set(dataset, tick.name, tick.name)
                phase = tick.phase[np.argsort(self._scoring_order(dataset, tick), kind="stable")]
                parts.append((scored, phase))
        n_new = int(dataset.split.is_new.sum())
        self.updates = dict.fromkeys(PHASES[1:], round(self.loop.row_updates / n_new / 3, 2))
        self.consumed = PHASES[-1]
        self.phases_seconds = perf_counter() - start
        return self._by_phase(parts)

    def _learn(self, dataset: ColdStartDataset, tick: Tick) -> None:
        name = f"{tick.name}, learned"
        dataset.add_set(name, tick.learned)
        self.model.observe(dataset.history, tick.name)
        loader = self.model.warm_up_loader(self.config, dataset, name, own_shard())
        self.loop.learn(loader, Stage.WARM_UP, tick.name, self.config["show_progress"])

    def _scoring_order(self, dataset: ColdStartDataset, tick: Tick) -> np.ndarray:
        """What the scored rows are sorted by, if by anything: as SetLoader sorts them."""
        if self.model.scoring_order == "user":
            return dataset.inter_feat[dataset.uid_field].cpu().numpy()[tick.scored]
        return np.arange(len(tick.scored))

    def _by_phase(self, parts: list[tuple[Scored, np.ndarray]]) -> dict:
        phase_of_row = torch.from_numpy(np.concatenate([phase for _, phase in parts]))
        columns = [torch.cat(column) for column in zip(*(scored for scored, _ in parts))]
        results = {}
        for number, phase in enumerate(PHASES):
            chosen = phase_of_row == number
            scores, labels, users, _ = (column[chosen] for column in columns)
            metrics = evaluate(self.config, scores, labels, users)
            results[phase] = {"next_phase": metrics, "fixed_test": metrics}
        return results
