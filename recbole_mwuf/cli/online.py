"""The commands ``warm``, ``score`` and ``export``: files in, files out."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.errors import UserError
from recbole_mwuf.files import atomic_write
from recbole_mwuf.online.item_warmer import ItemWarmer
from recbole_mwuf.online.outcomes import Observed
from recbole_mwuf.online.scoring import Scored

_SCORED_AT_ONCE = 65536  # pairs that are read and written at a time


def main(options: Namespace) -> int:
    """Run a command on its options.

    Raises:
        UserError: if a file or what it holds does not fit; no output file is written then.
    """
    silence_recbole()
    COMMANDS[options.command](ItemWarmer.load(options.checkpoint), options)
    return 0


def _warm(warmer: ItemWarmer, options: Namespace) -> None:
    write = _writer(options.output)
    if options.items:
        added = warmer.add_items(pd.concat(_chunks(options.items, None)))
        print(f"items: {added.added} added, {added.known} known before")
        for name, count in added.unknown_values.items():
            if count:
                print(f"{name}: {count} values that training has not seen")
    if options.interactions:
        size = options.batch_size or warmer.config["train_batch_size"]
        total = np.zeros(len(Observed._fields), dtype=np.int64)
        for chunk in _chunks(options.interactions, size):
            total += warmer.observe(chunk, options.networks)
        print("interactions: " + ", ".join(f"{n} {v}" for n, v in zip(Observed._fields, total)))
    if options.promote:
        print(f"promoted: {len(warmer.promote())}")
    items = warmer.new_items() if options.which == "new" else warmer.known_items()
    with atomic_write(options.output) as part:
        write(part, warmer.catalog.iid_field, items, warmer.item_embeddings(items, options.kind))
    if options.save:
        warmer.save(options.save)


def _score(warmer: ItemWarmer, options: Namespace) -> None:
    fields = [warmer.catalog.uid_field, warmer.catalog.iid_field]
    with atomic_write(options.output) as part, part.open("w", encoding="utf-8") as file:
        for i, pairs in enumerate(_chunks(options.pairs, _SCORED_AT_ONCE)):
            missing = [field for field in fields if field not in pairs]
            if missing:
                raise UserError(f"pairs='{options.pairs}': no column {missing}")
            users, items = (pairs[field] for field in fields)
            how = (options.uncertainty, options.explore, options.c, options.seed)
            scored = warmer.score(users, items, *how)
            if isinstance(scored, Scored):
                columns = {"score": scored.scores, "variance": scored.variances}
            else:
                columns = {"score": scored}
            pairs.assign(**columns).to_csv(file, index=False, header=i == 0)


def _export(warmer: ItemWarmer, options: Namespace) -> None:
    from recbole_mwuf.online.export import export  # needs the extra of that name

    export(warmer, options.output)


def _chunks(path: str, size: int | None) -> Iterator[pd.DataFrame]:
    """A CSV file in parts of ``size`` rows, all values as text, under a progress bar.

    Raises:
        UserError: if the file cannot be read as CSV.
    """
    # a token may be called NA: only what is empty is missing
    text = {"dtype": str, "keep_default_na": False, "na_values": [""]}
    try:
        header = pd.read_csv(path, header=None, nrows=1, **text).iloc[0]
        if header.duplicated().any():  # pandas would call the second one x.1
            raise UserError(f"'{path}' has two columns '{header[header.duplicated()].iloc[0]}'")
        with open(path, "rb") as file, _progress(path) as bar:
            for chunk in pd.read_csv(file, chunksize=size or 10**9, **text):
                if not isinstance(chunk.index, pd.RangeIndex):  # the first cells, for pandas
                    raise UserError(f"'{path}', line 2: has more cells than the header")
                yield chunk
                bar.update(file.tell() - bar.n)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"cannot read '{path}': {error}") from error


def _progress(path: str) -> tqdm:
    name, size = Path(path).name, Path(path).stat().st_size
    return tqdm(total=size, desc=name, unit="B", unit_scale=True, ncols=100)


def _writer(path: str) -> Callable[[Path, str, list[str], np.ndarray], None]:
    suffix = Path(path).suffix
    if suffix not in _WRITERS:
        raise UserError(f"output='{path}' must end in one of {', '.join(_WRITERS)}")
    return _WRITERS[suffix]


def _write_parquet(path: Path, field: str, items: list[str], embeddings: np.ndarray) -> None:
    import polars as pl  # a third of a second that only this writer needs

    vectors = pl.Series(embeddings, dtype=pl.Array(pl.Float32, embeddings.shape[1]))
    pl.DataFrame({field: pl.Series(items, dtype=pl.String), "embedding": vectors}).write_parquet(
        path
    )


def _write_npz(path: Path, field: str, items: list[str], embeddings: np.ndarray) -> None:
    with path.open("wb") as file:  # by name, numpy would append .npz
        np.savez(file, **{field: np.array(items, dtype=str), "embedding": embeddings})


def _write_csv(path: Path, field: str, items: list[str], embeddings: np.ndarray) -> None:
    names = [f"embedding_{i}" for i in range(embeddings.shape[1])]
    frame = pd.DataFrame(embeddings, columns=names)
    frame.insert(0, field, items)
    frame.to_csv(path, index=False)


_WRITERS = {".parquet": _write_parquet, ".npz": _write_npz, ".csv": _write_csv}
COMMANDS = {"warm": _warm, "score": _score, "export": _export}
