"""The yardstick: MWUF and its bases as one would write them by hand, in plain PyTorch.

    python benchmarks/plain.py FOLDER_OF_ML_1M_ATOMIC_FILES

does what ``recbole-mwuf --model=MWUF --base=WideDeep --dataset=ml-1m`` does, both protocols, with
nothing but torch, pandas and scikit-learn. ``benchmarks/training.py`` times the models below.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as log_loss
from torch.nn.functional import embedding_bag

SIZE, HIDDEN, BATCH, RATE = 16, 64, 256, 1e-3
N_OLD, K = 200, 20


class Batch(NamedTuple):
    """Samples as tensors: tokens already point into one table, lists are padded with 0."""

    tokens: Tensor  # [B, F], users first
    lists: list[Tensor]  # each [B, L]
    labels: Tensor  # [B]
    items: Tensor  # [B]
    history: Tensor | None = None  # [B, 50], users of the item, into the same table
    length: Tensor | None = None  # [B]


class Fields(nn.Module):
    """Embeddings of all fields, lists mean-pooled: ``[B, n_lists + F, size]``."""

    def __init__(self, n_tokens: int, list_sizes: list[int], size: int):
        super().__init__()
        self.tokens = nn.Embedding(n_tokens, size)
        self.lists = nn.ModuleList(nn.Embedding(n, size) for n in list_sizes)
        for table in (self.tokens, *self.lists):
            nn.init.xavier_normal_(table.weight)

    def forward(self, batch: Batch) -> Tensor:
        pooled = []
        for table, tokens in zip(self.lists, batch.lists):
            mask = (tokens != 0).float().unsqueeze(2)
            pooled.append((table(tokens) * mask).sum(1, keepdim=True) / (mask.sum(1, True) + 1e-8))
        return torch.cat([*pooled, self.tokens(batch.tokens)], dim=1)


def dense(sizes: list[int], norm: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        layers += [nn.Linear(n_in, n_out), *([nn.BatchNorm1d(n_out)] if norm else []), nn.ReLU()]
        nn.init.xavier_normal_(layers[-3 if norm else -2].weight)
    return nn.Sequential(*layers)


class Model(nn.Module):
    """Fields -> logit."""

    def __init__(self, n_tokens: int, list_sizes: list[int], n_fields: int):
        super().__init__()
        self.fields = Fields(n_tokens, list_sizes, SIZE)
        self.width = (n_fields + len(list_sizes)) * SIZE

    def loss(self, batch: Batch) -> Tensor:
        return log_loss(self(batch), batch.labels)


class WideDeep(Model):
    def __init__(self, n_tokens: int, list_sizes: list[int], n_fields: int):
        super().__init__(n_tokens, list_sizes, n_fields)
        self.first_order = Fields(n_tokens, list_sizes, 1)
        self.bias = nn.Parameter(torch.zeros(1))
        self.mlp = dense([self.width, HIDDEN, HIDDEN, HIDDEN])
        self.out = nn.Linear(HIDDEN, 1)

    def forward(self, batch: Batch) -> Tensor:
        return self.score(self.fields(batch), self.first_order(batch))

    def score(self, embeddings: Tensor, first_order: Tensor) -> Tensor:
        deep = self.out(self.mlp(embeddings.flatten(1))).squeeze(1)
        return deep + first_order.sum((1, 2)) + self.bias


class DCN(Model):
    def __init__(self, n_tokens: int, list_sizes: list[int], n_fields: int, n_crosses: int = 6):
        super().__init__(n_tokens, list_sizes, n_fields)
        shape = (n_crosses, self.width)
        self.weights = nn.ParameterList(nn.Parameter(w) for w in torch.randn(shape))
        self.biases = nn.ParameterList(nn.Parameter(b) for b in torch.zeros(shape))
        self.mlp = dense([self.width, HIDDEN, HIDDEN, HIDDEN], norm=True)
        self.out = nn.Linear(self.width + HIDDEN, 1)

    def forward(self, batch: Batch) -> Tensor:
        x0 = x = self.fields(batch).flatten(1)
        for weight, bias in zip(self.weights, self.biases):
            x = x0 * (x @ weight).unsqueeze(1) + bias + x
        return self.out(torch.cat([x, self.mlp(x0)], dim=1)).squeeze(1)

    def loss(self, batch: Batch) -> Tensor:
        return super().loss(batch) + 2 * sum(weight.norm(2) for weight in self.weights)


class AFN(Model):
    def __init__(self, n_tokens: int, list_sizes: list[int], n_fields: int, neurons: int = 32):
        super().__init__(n_tokens, list_sizes, n_fields)
        n_all = self.width // SIZE
        self.log_norm, self.exp_norm = nn.BatchNorm1d(n_all), nn.BatchNorm1d(neurons)
        self.powers = nn.Linear(n_all, neurons)
        self.mlp = dense([neurons * SIZE, HIDDEN, HIDDEN, HIDDEN])
        self.out = nn.Linear(HIDDEN, 1)

    def forward(self, batch: Batch) -> Tensor:
        logs = self.log_norm(torch.log(self.fields(batch).abs() + 1e-4))
        crossed = self.exp_norm(torch.exp(self.powers(logs.transpose(1, 2))).transpose(1, 2))
        return self.out(self.mlp(crossed.flatten(1))).squeeze(1)


class DIN(Model):
    """On the item side: the sample's user attends to the users of the item's history."""

    def __init__(self, n_tokens: int, list_sizes: list[int], n_fields: int, attention: int = 36):
        super().__init__(n_tokens, list_sizes, n_fields)
        self.attention = nn.Sequential(
            nn.Linear(4 * SIZE, attention), nn.Sigmoid(), nn.Linear(attention, 1)
        )
        self.mlp = dense([self.width + SIZE, HIDDEN, HIDDEN, HIDDEN])
        self.out = nn.Linear(HIDDEN, 1)

    def forward(self, batch: Batch) -> Tensor:
        keys = self.fields.tokens(batch.history)
        query = self.fields.tokens(batch.tokens[:, :1]).expand_as(keys)
        fit = self.attention(torch.cat([query, keys, query - keys, query * keys], dim=2))
        known = torch.arange(keys.shape[1]) < batch.length.unsqueeze(1)
        weights = fit.squeeze(2).masked_fill(~known, 0) / SIZE**0.5
        interest = torch.bmm(weights.unsqueeze(1), keys).squeeze(1)
        return self.out(self.mlp(torch.cat([self.fields(batch).flatten(1), interest], 1))).squeeze(
            1
        )


def meta_network(n_in: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, 16), nn.ReLU(), nn.Linear(16, SIZE))


class WarmUp(nn.Module):
    """MWUF's and MetaEmb's training steps on a fixed Wide & Deep.

    Args:
        base: The trained base.
        column: Where the item ID stands among the base's fields, lists first.
        features: X_v of every item, ``[n_items, n]``.
        users: G(U(v)) of every item, ``[n_items, SIZE]``.
    """

    def __init__(self, base: WideDeep, column: int, features: Tensor, users: Tensor):
        super().__init__()
        self.base, self.column, self.features, self.users = base, column, features, users
        base.requires_grad_(False).eval()
        n_items = len(features)
        self.ids = nn.Embedding(n_items, SIZE, sparse=True)
        self.first_order = nn.Embedding(n_items, 1, sparse=True)
        self.scale, self.shift = meta_network(features.shape[1]), meta_network(SIZE)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        tables = [self.ids.weight, self.first_order.weight]
        networks = [*self.scale.parameters(), *self.shift.parameters()]
        return [torch.optim.SparseAdam(tables, lr=RATE), torch.optim.Adam(networks, lr=RATE)]

    def replaced(self, values: Tensor, new: Tensor) -> Tensor:
        parts = [values[:, : self.column], new.unsqueeze(1), values[:, self.column + 1 :]]
        return torch.cat(parts, dim=1)

    def warm(self, cold: Tensor, items: Tensor) -> Tensor:
        return cold * self.scale(self.features[items]) + self.shift(self.users[items])

    def mwuf_loss(self, batch: Batch) -> Tensor:
        fixed, wide = self.base.fields(batch), self.base.first_order(batch)
        cold, weight = self.ids(batch.items), self.first_order(batch.items)
        warm = self.warm(cold.detach(), batch.items)
        both = torch.cat([self.replaced(fixed, cold), self.replaced(fixed, warm)])
        wides = [self.replaced(wide, weight), self.replaced(wide, weight.detach())]
        of_cold, of_warm = self.base.score(both, torch.cat(wides)).chunk(2)
        return log_loss(of_cold, batch.labels) + log_loss(of_warm, batch.labels)

    def scores(self, batch: Batch, warm: bool) -> Tensor:
        fixed, wide = self.base.fields(batch), self.base.first_order(batch)
        ids = self.ids(batch.items)
        ids = self.warm(ids, batch.items) if warm else ids
        first_order = self.replaced(wide, self.first_order(batch.items))
        return torch.sigmoid(self.base.score(self.replaced(fixed, ids), first_order))

    def metaemb_loss(self, a: Batch, b: Batch, alpha: float = 0.1, rate: float = 1e-2) -> Tensor:
        """Two mini-batches of the same items, whose rows stand together; ``scale`` generates."""
        items, task = torch.unique_consecutive(a.items, return_inverse=True)
        ids = self.scale(self.features[items])
        losses = self._losses(a, ids[task])
        per_item = losses / torch.bincount(task)[task]
        (gradient,) = torch.autograd.grad(per_item.sum(), ids, create_graph=True)
        adapted = self._losses(b, (ids - rate * gradient)[task])
        return alpha * losses.mean() + (1 - alpha) * adapted.mean()

    def _losses(self, batch: Batch, ids: Tensor) -> Tensor:
        wide = self.replaced(self.base.first_order(batch), self.first_order(batch.items).detach())
        logits = self.base.score(self.replaced(self.base.fields(batch), ids), wide)
        return log_loss(logits, batch.labels, reduction="none")


def step(optimizers: list[torch.optim.Optimizer], loss: Tensor) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()


# -- the whole experiment on MovieLens-1M ---------------------------------------------------------


class Data:
    """Atomic files as tensors, split by the paper's rules."""

    def __init__(self, folder: Path, name: str = "ml-1m"):
        read = {part: pd.read_csv(folder / f"{name}.{part}", sep="\t") for part in
                ("inter", "user", "item")}  # fmt: skip
        for frame in read.values():
            frame.columns = [column.split(":")[0] for column in frame.columns]
        inter, user, item = read["inter"], read["user"], read["item"]
        users, items = pd.Index(user["user_id"]), pd.Index(item["item_id"])
        u, v = users.get_indexer(inter["user_id"]), items.get_indexer(inter["item_id"])
        self.labels = torch.tensor((inter["rating"] >= 4).to_numpy(), dtype=torch.float32)
        columns, offset = [], 0
        for codes, index in (
            (np.arange(len(users)), u),
            *((pd.factorize(user[c])[0], u) for c in user.columns if c != "user_id"),
            (np.arange(len(items)), v),
            (pd.factorize(item["release_year"])[0], v),
        ):
            columns.append(torch.from_numpy(codes[index] + offset))
            offset += codes.max() + 1
        self.tokens, self.n_tokens, self.item_column = torch.stack(columns, 1), offset, -2
        self.users, self.items = torch.from_numpy(u), torch.from_numpy(v)
        self.n_users, self.n_items = len(users), len(items)
        self.lists = [_padded(item["movie_title"]), _padded(item["genre"])]
        self.years = self.tokens[:, -1]
        self._split(inter["timestamp"].to_numpy())

    def _split(self, times: np.ndarray) -> None:
        items = self.items.numpy()
        counts = np.bincount(items, minlength=self.n_items)
        order = np.lexsort((np.arange(len(items)), times, items))
        place = np.empty(len(items), dtype=np.int64)
        place[order] = np.arange(len(items)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.is_old = counts > N_OLD
        new = (counts > 3 * K) & ~self.is_old
        phase = np.where(new[items], np.minimum(place // K, 3), -1)
        rows = [self.is_old[items], *(phase == p for p in range(4))]
        self.sets = [torch.from_numpy(np.flatnonzero(chosen)) for chosen in rows]

    def batch(self, rows: Tensor) -> Batch:
        items = self.items[rows]
        lists = [tokens[items] for tokens in self.lists]
        return Batch(self.tokens[rows], lists, self.labels[rows], items)

    def mean_users(self, table: Tensor, n_sets: int) -> Tensor:
        """G(U(v)) after the old set and the first ``n_sets - 1`` warm-up sets."""
        rows = torch.cat(self.sets[:n_sets])
        rows = rows[torch.argsort(self.items[rows], stable=True)]
        counts = torch.bincount(self.items[rows], minlength=self.n_items)
        return embedding_bag(self.users[rows], table, counts.cumsum(0) - counts, mode="mean")


def _padded(lists: pd.Series) -> Tensor:
    """Space-separated tokens as numbers from 1, padded with 0, ``[n, L]``."""
    words = lists.fillna("").str.split()
    numbers = {word: i + 1 for i, word in enumerate(dict.fromkeys(w for ws in words for w in ws))}
    rows = [torch.tensor([numbers[w] for w in ws], dtype=torch.long) for ws in words]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


def phases(data: Data, model: WarmUp, losses, warm: bool, optimizers) -> list[tuple[float, float]]:
    """(next_phase AUC, fixed_test AUC) after cold, warm-a, warm-b, warm-c."""
    from sklearn.metrics import roc_auc_score

    results = []
    for phase in range(4):
        model.users = data.mean_users(model.base.fields.tokens.weight[: data.n_users], phase + 1)
        if phase:
            rows = data.sets[phase][torch.randperm(len(data.sets[phase]))]
            for chunk in rows.split(BATCH):
                step(optimizers, losses(data.batch(chunk)))
        aucs = []
        with torch.no_grad():
            for rows in (data.sets[phase + 1], data.sets[4]):
                parts = [model.scores(data.batch(chunk), warm) for chunk in rows.split(4096)]
                aucs.append(roc_auc_score(data.labels[rows].numpy(), torch.cat(parts).numpy()))
        results.append((aucs[0], aucs[1]))
    return results


def main(folder: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(2021)
    marks = [("start", time.perf_counter())]
    data = Data(Path(folder))
    marks.append(("load", time.perf_counter()))
    sizes = [int(tokens.max()) + 1 for tokens in data.lists]
    base = WideDeep(data.n_tokens, sizes, data.tokens.shape[1])
    adam = [torch.optim.Adam(base.parameters(), lr=RATE)]
    old = data.sets[0]
    for chunk in old[torch.randperm(len(old))].split(BATCH):
        step(adam, base.loss(data.batch(chunk)))
    marks.append(("pre-training", time.perf_counter()))

    first_row = torch.from_numpy(np.unique(data.items.numpy(), return_index=True)[1])
    one_each = data.batch(first_row)
    with torch.no_grad():
        embedded = base.fields(one_each)
    column = embedded.shape[1] + data.item_column
    features = torch.zeros(data.n_items, (len(sizes) + 1) * SIZE)
    kept = [*range(len(sizes)), embedded.shape[1] - 1]
    features[one_each.items] = embedded[:, kept].flatten(1)
    start = int(data.tokens[:, column - len(sizes)].min())
    own = [t.tokens.weight[start : start + data.n_items] for t in (base.fields, base.first_order)]

    results = {}
    for name in ("WideDeep", "MWUF"):
        mean = torch.zeros(data.n_items, SIZE)
        model = WarmUp(base, column, features, mean)
        rows = own if name == "WideDeep" else [w[data.is_old].mean(0).expand_as(w) for w in own]
        model.ids.weight.data, model.first_order.weight.data = rows[0].clone(), rows[1].clone()
        optimizers = model.optimizers()
        if name == "WideDeep":
            optimizers = optimizers[:1]

            def losses(batch: Batch, model: WarmUp = model) -> Tensor:
                fixed, wide = model.base.fields(batch), model.base.first_order(batch)
                wide = model.replaced(wide, model.first_order(batch.items))
                ids = model.replaced(fixed, model.ids(batch.items))
                return log_loss(model.base.score(ids, wide), batch.labels)
        else:
            losses = model.mwuf_loss
            model.users = data.mean_users(base.fields.tokens.weight[: data.n_users], 1)
            for chunk in old[torch.randperm(len(old))].split(BATCH):
                step(optimizers, losses(data.batch(chunk)))
            marks.append(("meta-training", time.perf_counter()))
        results[name] = phases(data, model, losses, name == "MWUF", optimizers)
        marks.append((f"phases of {name}", time.perf_counter()))
    for name, aucs in results.items():
        print(f"{name:<9}", "  ".join(f"{a:.4f} {b:.4f}" for a, b in aucs))
    print(json.dumps({b[0]: round(b[1] - a[1], 2) for a, b in zip(marks, marks[1:])}))


if __name__ == "__main__":
    main(sys.argv[1])
