"""A run on the tiny data set, step by step: what each step changes, and the scores after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_mwuf.config import Config
from recbole_mwuf.data import PHASES, QUERY, WARM_SETS, ColdStartDataset, InteractionHistory
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.parallel import Shard
from recbole_mwuf.registry import get_method
from recbole_mwuf.testing.data import NAME
from recbole_mwuf.trainer import BaseTrainer, WarmUpTrainer, seed_stage

OLD_ROWS = "old rows"  # the step in which old items' rows in φ_new learn


class Step(NamedTuple):
    """What a step of a run changed.

    Attributes:
        name: ``observe``, ``start``, ``meta-training`` or the warm-up set.
        stage: In which something learned; None where the method was only told something.
        moved: Name in the state -> which of its rows changed, bool.
        items: Items of the samples learned from.
    """

    name: str
    stage: Stage | None
    moved: dict[str, Tensor]
    items: set[int]

    @property
    def parts(self) -> set[str]:
        """The modules and buffers of the method that changed."""
        return {name.split(".")[0] for name in self.moved}


class Rehearsal:
    """Steps 1 to 6 for a method on a base, one at a time.

    Args:
        model: Name of a method or of a plain base.
        base: Name of the base.
        settings: Settings of the run.
        alter: Changes the data set before anything reads it.
        watch: Takes the settings' place: reads them as they are, and notes what is read.

    Attributes:
        data: The data set.
        batches: By phase, all interactions as they are scored after it, before any alteration.
        base_scores: What the base alone makes of the rows, after step 1.
        steps: What has been done so far.
    """

    def __init__(
        self,
        model: str,
        base: str,
        settings: Mapping[str, Any],
        alter: Callable[[ColdStartDataset], None] | None = None,
        watch: Callable[[Config], Any] = lambda config: config,
    ):
        config = Config(model, NAME, config_dict=dict(settings), base=base)
        seed_stage(config)
        self.data = ColdStartDataset(config)
        self._rows = torch.arange(len(self.data.inter_feat), device=config["device"])
        self.batches = {phase: self.data.batch(self._rows, phase) for phase in PHASES}
        if alter is not None:
            alter(self.data)
        self.config = watch(config)
        self._method = get_method(model)
        self.base = self._pretrained()
        self.base_scores = _predict(self.base, self.batches["cold"])
        seed_stage(self.config)
        self.model = self._method(self.config, self.data, self.base)
        self.trainer = WarmUpTrainer(self.config, self.model)
        self.steps: list[Step] = []
        self._items: set[int] = set()
        self._state = self._snapshot()
        self._watch()

    def _pretrained(self) -> torch.nn.Module:
        """Step 1, as a run does it."""
        config, data = self.config, self.data
        base = create_base(config, data)
        model = self._method(config, data, base)
        base.requires_grad_(True)
        seed_stage(config)
        own = None if self._method.shares_pretrained_base else model.pretrain_loss
        trainer = BaseTrainer(config, base, own)
        trainer.train(model.pretrain_loader(config, data, Shard()), dict)
        trainer.tensorboard.close()
        return base

    def _watch(self) -> None:
        """Note the items that are learned from, and what the method sets when told something."""

        def noted(learn: Callable[..., Any]) -> Callable[..., Any]:
            def call(interaction: Interaction, *args: Any) -> Any:
                items = interaction[self.model.ITEM_ID]
                if QUERY in interaction:  # a task's support is context, as a history is
                    items = items[interaction[QUERY] > 0]
                self._items |= set(items.tolist())
                return learn(interaction, *args)

            return call

        def marked(name: str, function: Callable[..., None]) -> Callable[..., None]:
            def call(*args: Any) -> None:
                function(*args)
                self._mark(name, None)

            return call

        replaced = {"observe": "observe", "start_new_items": "start"}
        for method, name in replaced.items():
            setattr(self.model, method, marked(name, getattr(self.model, method)))
        for method in ("loss", "absorb"):
            setattr(self.model, method, noted(getattr(self.model, method)))

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def _mark(self, name: str, stage: Stage | None) -> None:
        """A step is done: what it changed is what differs from the state before it."""
        before, self._state = self._state, self._snapshot()
        moved = {
            n: (value != before[n]).reshape(len(value) if value.dim() else 1, -1).any(1)
            for n, value in self._state.items()
            if not torch.equal(value, before[n])
        }
        self.steps.append(Step(name, stage, moved, self._items))
        self._items = set()

    def phases(self) -> Iterator[str]:
        """Steps 2 to 6: after each phase the model is as it scores what comes next."""
        try:
            self._step_2()
            self.trainer.start_new_items(self.data)
            yield PHASES[0]
            for phase in WARM_SETS:
                self.trainer.consume(self.data, phase)
                self._mark(phase, Stage.WARM_UP)
                yield phase
        finally:
            self.trainer.tensorboard.close()

    def _step_2(self) -> None:
        """Meta-training, then what the protocol adds for equal terms: old items' rows learn."""
        train_rows = self.trainer.loop.train_rows

        def between(*args: Any) -> None:
            self._mark("meta-training", Stage.META_TRAIN)
            train_rows(*args)
            self._mark(OLD_ROWS, None)

        setattr(self.trainer.loop, train_rows.__name__, between)
        self.trainer.meta_train(self.data)
        if self.steps[-1].name != OLD_ROWS:
            self._mark("meta-training", Stage.META_TRAIN)

    def scores(self, phase: str, **columns: Tensor) -> Tensor:
        """The model's scores of all rows as they are now; columns replace those of the batch."""
        return _predict(self.model, self.batches[phase], **columns)

    def scores_in_parts(self, phase: str) -> Tensor:
        """The same from batches of seven rows, drawn at random."""
        order = torch.from_numpy(np.random.default_rng(0).permutation(len(self._rows)))
        found = torch.empty(len(self._rows))
        for part in order.split(7):
            found[part] = _predict(self.model, self.batches[phase][part])
        return found

    def rows(self, name: str) -> Tensor:
        """Row numbers of one of the split's sets."""
        return torch.from_numpy(self.data.split.rows(name))

    def interactions(self, name: str) -> pd.DataFrame:
        """The raw rows of one of the split's sets, as they would come in online."""
        data, rows = self.data, self.data.split.rows(name)
        inter = data.inter_feat
        ids = {
            field: inter[field].cpu().numpy()[rows] for field in (data.uid_field, data.iid_field)
        }
        return pd.DataFrame(
            {
                **{field: data.id2token(field, values) for field, values in ids.items()},
                data.label_field: inter[data.label_field].cpu().numpy()[rows],
                data.time_field: data.times[rows],
            }
        )


@torch.no_grad()
def _predict(model: torch.nn.Module, batch: Interaction, **columns: Tensor) -> Tensor:
    model.eval()
    predict: Any = model.predict
    return predict(Interaction({**batch.interaction, **columns})).cpu()


def another_future(phase: str) -> Callable[[ColdStartDataset], None]:
    """Give all interactions that come after a phase other labels, users and items."""

    def alter(data: ColdStartDataset) -> None:
        later = torch.from_numpy(data.split.set_of_row > PHASES.index(phase))
        n_later, inter = int(later.sum()), data.inter_feat
        random = np.random.default_rng(PHASES.index(phase))
        new = np.flatnonzero(data.split.is_new)
        drawn = {
            data.uid_field: random.integers(1, data.user_num, n_later),
            data.iid_field: random.choice(new, n_later),
        }
        for field, values in drawn.items():
            inter[field][later] = torch.from_numpy(values).to(inter[field])
        labels = inter[data.label_field]
        labels[later] = 1 - labels[later]
        users = inter[data.uid_field].cpu().numpy()
        data.history = InteractionHistory(data.split, users, labels.cpu().numpy())

    return alter


class Watched:
    """Settings that remember which of them were read.

    Args:
        config: The settings.
    """

    def __init__(self, config: Config):
        self._config = config
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return self._config[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._config[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self._config

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)
