"""One bar for the grid, and a line for every run."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

from tqdm import tqdm

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.grid import Job


class Progress:
    """Counts finished, running and failed runs and estimates the rest.

    Args:
        total: Runs of the grid.
        workers: Runs at a time.
        earlier: Results of the grid from earlier run_log.
    """

    def __init__(self, total: int, workers: int, earlier: list[dict]):
        self.workers = workers
        self.n_failed = 0
        self._seconds: dict[tuple[str, str], list[float]] = {}
        for result in earlier:
            self._learn(result)
        form = "{n_fmt}/{total_fmt} finished |{bar:20}|{postfix}"
        self._bar = tqdm(total=total, initial=len(earlier), bar_format=form, dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, left: list[Job], n_running: int) -> None:
        """Update the bar.

        Args:
            left: Runs that have no result yet, the running ones among them.
            n_running: How many are running.
        """
        self._bar.set_postfix_str(
            f"{n_running} running, {self.n_failed} failed, {self._estimate(left)}"
        )

    def finished(self, job: Job, result: dict) -> None:
        """A run has a result."""
        self._learn(result)
        aucs = [result["phases"][phase]["next_phase"].get("auc") for phase in PHASES]
        numbers = "  ".join("  -   " if auc is None else f"{auc:.4f}" for auc in aucs)
        self._line(f"{_title(job)}  {numbers}  {result['timing']['run_s']:6.1f} s")
        self._bar.update()

    def failed(self, job: Job, error: Exception, file: Path) -> None:
        """A run failed."""
        self.n_failed += 1
        reason = (str(error) or type(error).__name__).splitlines()[0]
        self._line(f"{_title(job)}  FAILED: {reason} ({file})")

    def _line(self, text: str) -> None:
        self._bar.write(text)

    def _learn(self, result: dict) -> None:
        seconds = self._seconds.setdefault((result["model"], result["base"]), [])
        seconds.append(result["timing"]["run_s"])

    def _estimate(self, left: list[Job]) -> str:
        """The rest, from the mean time of runs of the same model and base, else of all."""
        if not self._seconds:
            return "rest unknown"
        known = {name: mean(seconds) for name, seconds in self._seconds.items()}
        usual = mean(known.values())
        rest = sum(known.get((job.model, job.base), usual) for job in left) / self.workers
        return f"about {rest / 60:.0f} min left" if rest >= 90 else f"about {rest:.0f} s left"


def _title(job: Job) -> str:
    return f"{job.label:<20} seed {job.seed}"
