"""Why a method may have ended below its base, and what to try: from what a run has recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from recbole_mwuf.data.split import PHASES, WARM_SETS

# below these a cause is not named: differences that small are common where nothing is wrong
_BELOW = 0.0005  # AUC
_STILL_FALLING = 0.005  # of the loss, over the last quarter of pre-training
_OTHER_LEVEL = 0.1  # share of positives
_FEW_ITEMS = 100
_FEW_POSITIVES = 500  # of positive or negative samples in a set


def diagnose(
    result: Mapping, base_phases: Mapping | None = None, name: str | None = None
) -> list[str]:
    """The likely reasons why a method is below its base, with what to try.

    Args:
        result: The content of a result file, or a run's result by name.
        base_phases: Metrics by phase of the base without warm-up; default: those of the result.
        name: What the method is called; default: MODEL(BASE).

    Returns:
        list[str]: a sentence that says where it is below, then one for every likely reason; empty
        if it is below nowhere, or if there is no base to compare with.
    """
    gains = _gains(result, base_phases or result.get("base_phases"))
    below = [phase for phase, gain in gains.items() if gain < -_BELOW]
    if not below:
        return []
    name = name or f"{result['model']}({result['base']})"
    where = ", ".join(f"{_title(phase)} ({gains[phase]:+.4f})" for phase in below)
    reasons = [*_start(result, below), *_base(result), *_steps(result, below)]
    reasons += [*_labels(result), *_items(result)]
    nothing = "none of the usual reasons is visible; tune it (run_hyper.py) before you judge it"
    return [f"{name} is below its base at {where}. Likely reasons:", *(reasons or [nothing])]


def _gains(result: Mapping, base_phases: Mapping | None) -> dict[str, float]:
    """AUC less the base's by phase, where both have one."""
    found: dict[str, float] = {}
    if not base_phases or result["model"] == result["base"]:
        return found
    for phase in PHASES:
        own, of_base = (
            run[phase]["next_phase"].get("auc") for run in (result["phases"], base_phases)
        )
        if own is not None and of_base is not None:
            found[phase] = own - of_base
    return found


def _start(result: Mapping, below: list[str]) -> Iterator[str]:
    config = result["config"]
    if (
        result["base"] == "AFN"
        and config.get("mwuf_variant")
        and config["old_item_mean"] != "geometric"
    ):
        yield (
            "AFN reads the logarithm of an embedding's components, and the mean of the old items' "
            "is far smaller than any of them: try --old_item_mean=geometric"
        )
    elif "cold" in below:
        yield (
            "it is below before any sample: what it starts new items with is worse than the base's "
            "start; look at its settings (recbole-mwuf --model=NAME --help)"
        )


def _base(result: Mapping) -> Iterator[str]:
    trained = result.get("pretraining") or {}
    quarters, rising = trained.get("loss") or [], trained.get("rising")
    falls = quarters and quarters[-1] < quarters[-2] * (1 - _STILL_FALLING)
    what = f"--epochs={2 * (result['config']['epochs'] or 1)}"
    early = "--validation_items=0.2 --epochs=20 --eval_step=1"
    if rising:
        yield (
            "the base is under-trained: its score on held-out items was still rising in its last "
            f"epoch; try {what}"
        )
    elif falls and rising is None:
        yield (
            f"the base is under-trained: over the last quarter of its training its loss fell from "
            f"{quarters[-2]:.4f} to {quarters[-1]:.4f}; try {what}, or {early}"
        )


def _steps(result: Mapping, below: list[str]) -> Iterator[str]:
    updates, config = result.get("updates") or {}, result["config"]
    aucs = [result["phases"][phase]["next_phase"].get("auc") for phase in PHASES]
    rate = config.get("warm_up_learning_rate") or config["learning_rate"]
    if not any(updates.get(phase) for phase in WARM_SETS) or below == ["cold"]:
        return
    falls = any(b is not None and a is not None and b < a for a, b in zip(aucs, aucs[1:]))
    direction = f"{rate / 4:g}" if falls else f"{rate * 4:g}"
    why = "the AUC falls from one phase to the next" if falls else "it learns more slowly"
    n = sum(updates.get(phase, 0.0) for phase in WARM_SETS) / len(WARM_SETS)
    yield (
        f"step size: {why}, with {n:.1f} updates of an item's row per set at a rate of {rate:g}; "
        f"try --warm_up_learning_rate={direction}"
    )


def _labels(result: Mapping) -> Iterator[str]:
    shares = result["split"].get("positive_shares") or {}
    new = {name: share for name, share in shares.items() if name != "old" and share is not None}
    if not new or shares.get("old") is None:
        return
    name = max(new, key=lambda name: abs(new[name] - shares["old"]))
    if abs(new[name] - shares["old"]) > _OTHER_LEVEL:
        yield (
            f"label balance: {new[name]:.0%} of the samples of {_title(name)} are positive, "
            f"{shares['old']:.0%} of the old items': the base expects another level. GAUC is less "
            "touched by it (--metrics), and warm_up_first_order=True lets a row's level move"
        )


def _items(result: Mapping) -> Iterator[str]:
    split = result["split"]
    n_items, rows = split["new_items"], split["rows"]
    shares = split.get("positive_shares") or {}
    if n_items < _FEW_ITEMS:
        yield (
            f"few new items: {n_items}; one that is hard to rank moves the figures. Try several "
            "seeds and --bootstrap_draws=200, or a smaller phase_size"
        )
        return
    for name in (*WARM_SETS, "test"):
        share = shares.get(name, 0.5) or 0.0
        rarer = round(rows[name] * min(share, 1 - share))
        if rarer < _FEW_POSITIVES:
            yield (
                f"few samples: {_title(name)} has {rarer} of the rarer label. Try several seeds, "
                "or a larger phase_size"
            )
            return


def _title(name: str) -> str:
    return name.replace("_", "-")
