"""The commands ``warm``, ``score`` and ``export``: files in, files out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from recbole_mwuf.cli.status import exit_status
from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.errors import UserError, count_argument
from recbole_mwuf.files import atomic_write
from recbole_mwuf.online.item_warmer import ItemWarmer, Observed
from recbole_mwuf.online.scoring import EXPLORE, Scored

_SCORED_AT_ONCE = 65536  # pairs that are read and written at a time


def main(arguments: list[str], prog: str) -> int:
    """Run the command that ``prog`` ends with."""
    silence_recbole()
    return exit_status(lambda: _run(arguments, prog), arguments)


def _run(arguments: list[str], prog: str) -> None:
    """Run a command on its options.

    Raises:
        UserError: if a file or what it holds does not fit; no output file is written then.
        SystemExit: for a mistake in the options.
    """
    program, _, command = prog.rpartition(" ")
    options = _parser(program).parse_args([command, *arguments])
    warmer = ItemWarmer.load(options.checkpoint)
    torch.set_num_threads(warmer.config["torch_threads"] or torch.get_num_threads())
    COMMANDS[options.command](warmer, options)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    warm = commands.add_parser("warm", help="learn from interactions, write item embeddings")
    warm.add_argument("--items", help="CSV: item token and raw features, columns as in training")
    warm.add_argument("--interactions", help="CSV: user, item, label, time, maybe event_id")
    warm.add_argument("--networks", action="store_true", help="let the meta networks learn too")
    warm.add_argument("--promote", action="store_true", help="then hand over items beyond N")
    warm.add_argument("--batch_size", type=count_argument, help="interactions observed together")
    warm.add_argument("--kind", choices=("warm", "cold"), default="warm")
    warm.add_argument("--which", choices=("new", "all"), default="new", help="items written")
    warm.add_argument("--save", help="checkpoint to go on from next time")
    _common(warm, f"embeddings: {', '.join(_WRITERS)}")
    score = commands.add_parser("score", help="score pairs of user and item")
    score.add_argument("--pairs", required=True, help="CSV: user and item, columns as in training")
    score.add_argument("--uncertainty", action="store_true", help="a column variance, of the logit")
    score.add_argument("--explore", choices=EXPLORE, help="score what is not well known higher")
    score.add_argument("--c", type=float, default=1.0, help="standard deviations, for ucb")
    score.add_argument("--seed", type=int, help="of thompson's draw, one for 65,536 pairs")
    _common(score, "CSV: the pairs with a column score")
    export = commands.add_parser("export", help="write ONNX files for serving")
    _common(export, "folder for warm_up.onnx, scorer.onnx and vocabulary.json")
    return parser


def _common(command: argparse.ArgumentParser, output: str) -> None:
    command.add_argument("--checkpoint", required=True, help="a run's, or one that --save wrote")
    command.add_argument("--output", required=True, help=output)
    command.add_argument("--state", default="INFO", help="DEBUG shows where a failure happened")


def _warm(warmer: ItemWarmer, options: argparse.Namespace) -> None:
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


def _score(warmer: ItemWarmer, options: argparse.Namespace) -> None:
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


def _export(warmer: ItemWarmer, options: argparse.Namespace) -> None:
    from recbole_mwuf.online.export import export  # needs the extra of that name

    export(warmer, options.output)


def _chunks(path: str, size: int | None) -> Iterator[pd.DataFrame]:
    """A CSV file in parts of ``size`` rows, all values as text, under a progress bar.

    Raises:
        UserError: if the file cannot be read as CSV.
    """
    try:
        with open(path, "rb") as file, _progress(path) as bar:
            # a token may be called NA: only what is empty is missing
            text = {"dtype": str, "keep_default_na": False, "na_values": [""]}
            for chunk in pd.read_csv(file, chunksize=size or 10**9, **text):
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
