"""One result object per run: the console table, the JSON file and the reports read it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from recbole_mwuf.data.split import PHASES
from recbole_mwuf.evaluator.metrics import rela_impr
from recbole_mwuf.files import write_json

SCHEMA = 2
PROTOCOLS = ("next_phase", "fixed_test")
_NOT_IN_EVERY_FILE = {"fingerprint", "checkpoint", "pretraining"}
# how long it took and where it was written may be told otherwise later
_NOT_IN_CHECKSUM = {"timing", "config", "checksum"}


@dataclass
class RunResult:
    """What a run found; :meth:`to_dict` is the result file.

    Attributes:
        phases: ``phase -> protocol -> metric -> value`` of the model.
        base_phases: The same of the base without warm-up; None if it was not run.
        updates: By warm-up set, how often the row of a new item was updated, mean over the items;
            0 where rows do not learn by gradient steps.
        auc_draws: ``phase -> protocol``: the AUC of every draw of a bootstrap over items; empty
            without ``bootstrap_draws``.
        pretraining: ``loss`` and ``rising`` of the base's training, as
            :meth:`~recbole_mwuf.trainer.base_trainer.BaseTrainer.told`; empty if not known.
        timing: Seconds, samples per second and peak memory.
        versions: Of the code that made the figures, and of libraries.
        fingerprint: Of the data, in parts (:mod:`recbole_mwuf.data.fingerprint`).
        checkpoint: Where the model was saved; not part of the result file.
    """

    model: str
    base: str
    dataset: str
    seed: int
    split: dict
    phases: dict
    base_phases: dict | None
    updates: dict
    auc_draws: dict
    pretraining: dict
    timing: dict
    config: dict
    versions: dict
    fingerprint: dict
    checkpoint: str | None = None

    @property
    def rela_impr(self) -> dict | None:
        """Eq. 7 at every phase (``next_phase``) against the same base and seed."""
        if self.base_phases is None:
            return None
        model, base = (
            {phase: run[phase]["next_phase"].get("auc") for phase in PHASES}
            for run in (self.phases, self.base_phases)
        )
        return {phase: rela_impr(model[phase], base[phase]) for phase in PHASES}

    def to_dict(self) -> dict:
        """The content of the result file."""
        own = asdict(self)
        own.pop("checkpoint")
        content = {"schema": SCHEMA, **own, "rela_impr": self.rela_impr}
        return {**content, "checksum": _checksum(content)}

    def save(self, path: str | Path) -> None:
        """Write the result file."""
        write_json(path, self.to_dict())

    def table(self) -> str:
        """Phases as columns; base and model as rows, under both protocols."""
        rows = {}
        runs = {self.base: self.base_phases, self._title(): self.phases}
        for protocol in PROTOCOLS:
            for title, phases in runs.items():
                if phases is None:
                    continue
                for metric in phases["cold"][protocol]:
                    values = [phases[phase][protocol][metric] for phase in PHASES]
                    rows[f"{protocol:<11}{metric:<9}{title}"] = [_number(v) for v in values]
            improvement = self.rela_impr
            if protocol == "next_phase" and improvement is not None:
                title = f"{protocol:<11}{'RelaImpr':<9}{self._title()}"
                rows[title] = [_percent(improvement[phase]) for phase in PHASES]
        width = max(map(len, rows))
        lines = [" " * width + "".join(f"{phase.replace('_', '-'):>10}" for phase in PHASES)]
        lines += [
            f"{title:<{width}}" + "".join(f"{value:>10}" for value in values)
            for title, values in rows.items()
        ]
        return "\n".join(lines)

    def _title(self) -> str:
        return self.model if self.model == self.base else f"{self.model}({self.base})"


def read_result(path: str | Path) -> dict:
    """The content of a result file.

    Raises:
        ValueError: if it is damaged: not JSON, incomplete, or with other figures than were written.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("it holds no settings and figures")
    needed = {field.name for field in fields(RunResult)} - _NOT_IN_EVERY_FILE
    if missing := sorted(needed - set(content)):
        raise ValueError(f"it is incomplete: there is no {missing[0]}")
    if content.get("checksum", _checksum(content)) != _checksum(content):
        raise ValueError("its figures are not those that were written (checksum)")
    return content


def _checksum(content: dict) -> str:
    """A digest of the figures and of what they are of: 16 hexadecimal digits."""
    covered = {name: value for name, value in content.items() if name not in _NOT_IN_CHECKSUM}
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()[:16]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1%}"
