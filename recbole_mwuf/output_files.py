"""Where a run writes: names that tell what it was, and that no other run has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recbole.utils import get_local_time

from recbole_mwuf.config import Config
from recbole_mwuf.files import reserved


@contextmanager
def reserved_ending(config: Config) -> Iterator[str]:
    """``seed2021-Nov-25-2026_06-16-16``, with a number if a run of that second has it already."""
    with reserved(config["checkpoint_dir"], f"seed{config['seed']}-{get_local_time()}") as ending:
        yield ending


@dataclass(frozen=True)
class OutputFiles:
    """The files of a run, under ``checkpoint_dir`` unless ``result_path`` names another place.

    Attributes:
        model: ``MODEL-BASE-DATASET-seedS-TIME.pth``
        base: ``BASE-DATASET-base-seedS-TIME.pth``
        result: As ``model``, with the ending ``.json``.
    """

    model: Path
    base: Path
    result: Path

    @classmethod
    @contextmanager
    def reserved(cls, config: Config) -> Iterator[OutputFiles]:
        """The names, which are this run's alone while the block runs."""
        folder = Path(config["checkpoint_dir"])
        with reserved_ending(config) as ending:
            result = f"{config.run_name}-{ending}.json"
            yield cls(
                model=folder / f"{config.run_name}-{ending}.pth",
                base=folder / f"{config['base']}-{config['dataset']}-base-{ending}.pth",
                result=Path(config["result_path"] or folder / result),
            )


@dataclass(frozen=True)
class BaseFiles:
    """Where a trained base comes from and goes to.

    Attributes:
        given: A checkpoint to load; None to train.
        written: Where a base that was trained goes; None for nowhere.
        replaceable: Whether one that cannot be loaded is set aside and trained again.
    """

    given: str | Path | None = None
    written: Path | None = None
    replaceable: bool = False

    @classmethod
    def of(cls, config: Config, files: OutputFiles | None, kept: Path | None) -> BaseFiles:
        """The user's ``pretrained_base``, else the one that is kept for several runs."""
        given = config["pretrained_base"]
        is_kept = given is None and kept is not None and kept.is_file()
        written = kept or (None if files is None else files.base)
        return cls(kept if is_kept else given, written, is_kept)
