"""Training speed beside a bare PyTorch loop and RecBole's own Trainer.

    python benchmarks/training.py --dataset ml-1m [--threads 1 2] [--rounds 7] [--batches 200]

Every contender is a process of its own that trains the same samples when it is told to, one after
the other, round after round; the median of the rounds counts. Writes ``training.json`` and prints
a Markdown table for ``README.md``.

- bare: ``plain.py`` on batches made beforehand, torch's default Adam
- RecBole: its Trainer and data loader with the same model and samples
- ours: :class:`BaseTrainer`, :class:`WarmUpTrainer` with their loaders
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER)]

import plain  # noqa: E402
from alternate import alternate  # noqa: E402
from recbole.data.dataloader import TrainDataLoader  # noqa: E402
from recbole.data.interaction import Interaction  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402

from recbole_mwuf.compat import silence_recbole  # noqa: E402
from recbole_mwuf.config import Config  # noqa: E402
from recbole_mwuf.data import ColdStartDataset, SetLoader  # noqa: E402
from recbole_mwuf.data.dataset import select  # noqa: E402
from recbole_mwuf.model.base import create_base  # noqa: E402
from recbole_mwuf.model.base.item_side import ItemSideRecommender  # noqa: E402
from recbole_mwuf.model.warm_up.plain import NoWarmUp  # noqa: E402
from recbole_mwuf.model.warm_up.stage import Stage  # noqa: E402
from recbole_mwuf.parallel import Shard  # noqa: E402
from recbole_mwuf.registry import get_model  # noqa: E402
from recbole_mwuf.trainer import BaseTrainer, WarmUpTrainer, seed_stage  # noqa: E402

BARE, RECBOLE, OURS = "bare", "RecBole", "ours"
BASES = ("WideDeep", "DCN", "AFN", "DIN")
METHODS = ("MWUF", "MetaEmb")

Round = Callable[[], int]  # trains once over the samples and returns how many there were


class Case:
    """A data set and a base, and what the three contenders do with them."""

    def __init__(self, dataset: str, base: str, n_batches: int, batch_size: int):
        settings = {"show_progress": False, "state": "ERROR", "train_batch_size": batch_size}
        self.config = Config("MWUF", dataset, None, settings, base=base)
        self.data = ColdStartDataset(self.config)
        seed_stage(self.config)
        self.base = create_base(self.config, self.data)
        self.n_batches = n_batches

    def bare_base(self) -> Round:
        model = self._plain_model()
        loader = NoWarmUp(self.config, self.data, self.base).pretrain_loader(
            self.config, self.data, Shard()
        )
        batches = [self._plain_batch(batch) for batch in part_of(loader, self.n_batches)]
        optimizers = [torch.optim.Adam(model.parameters(), lr=self.config["learning_rate"])]

        def go() -> int:
            for batch in batches:
                plain.step(optimizers, model.loss(batch))
            return sum(len(batch.labels) for batch in batches)

        return go

    def recbole_base(self) -> Round:
        rows = self.data.split.rows("old")[: self.n_batches * self.config["train_batch_size"]]
        inter = Interaction(select(self.data.inter_feat, torch.from_numpy(rows)))
        data = self.data.copy(inter)
        trainer = Trainer(self.config, self.base)
        loader = TrainDataLoader(self.config, data, None, shuffle=True)

        def go() -> int:
            trainer._train_epoch(loader, 0)
            return len(rows)

        return go

    def our_base(self) -> Round:
        model = NoWarmUp(self.config, self.data, self.base)
        self.base.requires_grad_(True)
        trainer = BaseTrainer(self.config, self.base)
        loader = part_of(model.pretrain_loader(self.config, self.data, Shard()), self.n_batches)

        def go() -> int:
            trainer._train_epoch(loader, 0)
            return loader.sample_size

        return go

    def bare_method(self, name: str) -> Round:
        ours, _ = self._warm_up_trainer(name)
        loader = ours.meta_loader(self.config, self.data, Shard())
        batches = list(part_of(loader, self.n_batches))
        model = self._plain_model()
        names = self.base.token_field_names
        column = len(self.base.token_seq_field_names) + names.index(self.data.iid_field)
        users = getattr(ours, "mean_users", torch.zeros(self.data.item_num, plain.SIZE))
        bare = plain.WarmUp(model, column, ours.item_features, users)
        optimizers = bare.optimizers()
        if name == "MWUF":
            steps = [(self._plain_batch(batch),) for batch in batches]
            loss: Callable = bare.mwuf_loss
        else:
            optimizers = [torch.optim.Adam(bare.scale.parameters(), lr=plain.RATE)]
            halves = ([_half(batch, i) for i in (0, 1)] for batch in batches)
            steps = [(self._plain_batch(a), self._plain_batch(b)) for a, b in halves]
            loss = bare.metaemb_loss

        def go() -> int:
            for parts in steps:
                plain.step(optimizers, loss(*parts))
            return sum(len(part.labels) for parts in steps for part in parts)

        return go

    def our_method(self, name: str) -> Round:
        model, trainer = self._warm_up_trainer(name)
        loader = part_of(model.meta_loader(self.config, self.data, Shard()), self.n_batches)

        def go() -> int:
            trainer._train_epoch(loader, 0)
            return loader.sample_size

        return go

    def _warm_up_trainer(self, name: str) -> tuple[torch.nn.Module, WarmUpTrainer]:
        settings = {"show_progress": False, "state": "ERROR"}
        config = Config(name, self.config["dataset"], None, settings, base=self.config["base"])
        trainer = WarmUpTrainer(config, get_model(name)(config, self.data, self.base))
        trainer.model.observe(self.data.history, "cold")
        trainer.loop.start(Stage.META_TRAIN)
        return trainer.model, trainer

    def _plain_model(self) -> plain.Model:
        base = self.base
        counts = sum(base.token_field_dims), base.token_seq_field_dims, len(base.token_field_dims)
        model = getattr(plain, type(base).__name__)(*counts)
        sizes = [sum(p.numel() for p in m.parameters()) for m in (model, base)]
        first_order = 0  # RecBole's models carry first-order weights that not all of them use
        if not isinstance(model, plain.WideDeep):
            first_order = sum(p.numel() for p in base.first_order_linear.parameters())
        assert sizes[0] == sizes[1] - first_order, "plain.py has another model"
        return model

    def _plain_batch(self, batch: Interaction) -> plain.Batch:
        base = self.base
        offsets = torch.as_tensor(base.token_field_offsets)
        tokens = torch.stack([batch[f] for f in base.token_field_names], dim=1) + offsets
        lists = [batch[f] for f in base.token_seq_field_names]
        rest = (batch[base.LABEL], batch[self.data.iid_field])
        if not isinstance(base, ItemSideRecommender):
            return plain.Batch(tokens, lists, *rest)
        return plain.Batch(tokens, lists, *rest, *base.history(batch))


def part_of(loader, n_batches: int):
    """A loader whose whole pass is a part of the given one's, its rows scattered all the same.

    A loader of tasks stays whole: it shuffles all samples first, which a part must not pay for.
    """
    if isinstance(loader, SetLoader):
        random = torch.Generator().manual_seed(2021)
        chosen = torch.randperm(len(loader.rows), generator=random)
        loader.rows = loader.rows[chosen[: n_batches * loader.batch_size]]
    return loader


def _half(batch: Interaction, which: int) -> Interaction:
    size = len(batch) // 2
    part = slice(which * size, (which + 1) * size)
    return Interaction({name: column[part] for name, column in batch.interaction.items()})


def prepare(arguments: argparse.Namespace, base: str, what: str, who: str) -> tuple[Round, dict]:
    """A contender of one case."""
    silence_recbole()
    case = Case(arguments.dataset, base, arguments.batches, arguments.batch_size)
    if what == "base":
        return {BARE: case.bare_base, RECBOLE: case.recbole_base, OURS: case.our_base}[who](), {}
    return {BARE: case.bare_method, OURS: case.our_method}[who](what), {}


def measure(arguments: argparse.Namespace, base: str, what: str) -> dict:
    """One case: every contender's rounds."""
    # RecBole's loader knows no histories of items
    names = [BARE, OURS] if what != "base" or base == "DIN" else [BARE, RECBOLE, OURS]
    contenders = {who: (arguments, base, what, who) for who in names}
    return alternate(contenders, prepare, arguments.rounds, arguments.threads)


def table(results: dict, threads: list[int]) -> str:
    """The medians as Markdown."""
    lines = [
        "| training | threads | bare | RecBole | ours | ours / bare | ours / RecBole | memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        for n in map(str, threads):
            median = {w: statistics.median(r["samples_per_s"][n]) for w, r in result.items()}
            ratios = [_ratio(result, who, n) for who in (BARE, RECBOLE)]
            cells = [f"{median[w]:,.0f}" if w in median else "–" for w in (BARE, RECBOLE, OURS)]
            memory = f"{result[OURS]['peak_rss_mb']} MB"
            lines.append("| " + " | ".join([name, n, *cells, *ratios, memory]) + " |")
    return "\n".join(lines)


def _ratio(result: dict, other: str, threads: str) -> str:
    """The median over the rounds of ours against another contender in the same round."""
    if other not in result:
        return "–"
    pairs = zip(*(result[who]["samples_per_s"][threads] for who in (OURS, other)))
    return f"{statistics.median(a / b for a, b in pairs):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="ml-1m")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--only", nargs="+", default=[*BASES, *METHODS])
    parser.add_argument("--output", type=Path, default=FOLDER / "training.json")
    arguments = parser.parse_args()
    results = {}
    for name in arguments.only:
        base, what = (name, "base") if name in BASES else ("WideDeep", name)
        title = f"{name}, pre-training" if what == "base" else f"{name}(WideDeep), meta-training"
        results[title] = measure(arguments, base, what)
        print(table({title: results[title]}, arguments.threads).splitlines()[-1], flush=True)
    machine = {"cpus": os.cpu_count(), "processor": platform.machine(), "torch": torch.__version__}
    settings = {name: value for name, value in vars(arguments).items() if name != "output"}
    content = {"machine": machine, "settings": settings, "results": results}
    arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(table(results, arguments.threads))


if __name__ == "__main__":
    main()
