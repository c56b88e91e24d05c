"""What holds of every method on every base from phase to phase."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recbole_mwuf.data import PHASES, WARM_SETS
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.stage import Stage
from recbole_mwuf.online import ItemWarmer
from recbole_mwuf.testing.common import FLOAT_ERROR, Conformance, Course, moves_base
from recbole_mwuf.testing.rehearsal import OLD_ROWS, Rehearsal, another_future


class PhasesConformance(Conformance):
    """Who moves when, no look into the future, files and production."""

    # what moves

    def test_only_what_is_declared_moves(self, course: Course) -> None:
        """Modules in `learns` at their stage, what `assigns` names, new items' rows at start."""
        model = course.rehearsal.model
        for step in course.rehearsal.steps:
            learns = model.learns_at(step.stage) if step.stage else ()
            rows = ["new_ids"] if step.name in ("start", OLD_ROWS) else []
            declared = {*learns, *model.assigns, *rows}
            assert step.parts <= declared, (
                f"{step.name}: {sorted(step.parts - declared)} moved, which neither `learns` at "
                "this stage nor `assigns` names"
            )

    def test_only_rows_of_the_samples_items_move(self, course: Course) -> None:
        """Meta-training moves rows of old items, a warm-up set those of its new ones."""
        rehearsal = course.rehearsal
        old, new = (
            set(np.flatnonzero(kind).tolist())
            for kind in (rehearsal.data.split.is_old, rehearsal.data.split.is_new)
        )
        tables = _item_tables(rehearsal.model)
        for step in rehearsal.steps:
            of_old = step.stage is Stage.META_TRAIN or step.name == OLD_ROWS
            group = old if of_old else new
            assert step.items <= group, f"{step.name}: samples of items of another group"
            for name in tables & set(step.moved):
                moved = set(step.moved[name].nonzero().flatten().tolist())
                if step.name == "start":
                    assert not moved & old, f"start: rows of old items in {name} moved"
                elif step.stage is not None or step.name == OLD_ROWS:
                    assert moved <= step.items, f"{step.name}: other items' rows in {name} moved"

    def test_old_items_keep_their_scores(self, course: Course) -> None:
        """Bit for bit those of the base, in batches that mix old and new items."""
        rehearsal = course.rehearsal
        if moves_base(rehearsal.model):
            pytest.skip("the method declares that the base goes on learning")
        old = rehearsal.rows("old")
        for phase, scores in course.scores.items():
            assert torch.equal(scores[old], rehearsal.base_scores[old]), (
                f"after {phase} old items have other scores than the base gives them"
            )

    # no look into the future

    @pytest.mark.parametrize("phase", PHASES)
    def test_the_future_changes_no_score(
        self, course: Course, given: dict[str, Any], phase: str
    ) -> None:
        """Interactions that come later have other labels, users and items: same scores."""
        rehearsal = Rehearsal(self.model, self.base_name, given, another_future(phase))
        for now in rehearsal.phases():
            assert torch.equal(rehearsal.scores(now), course.scores[now]), (
                f"scores after {now} depend on interactions that come after {phase}"
            )
            if now == phase:
                break

    def test_labels_of_scored_rows_are_not_read(self, course: Course) -> None:
        """A batch that is scored carries its labels: `predict` must not look at them."""
        rehearsal = course.rehearsal
        field = rehearsal.data.label_field
        labels = rehearsal.batches["warm_c"][field]
        found = rehearsal.scores("warm_c", **{field: 1 - labels})
        assert torch.equal(found, course.scores["warm_c"]), "scores depend on the rows' labels"

    def test_a_row_is_scored_by_itself(self, course: Course) -> None:
        """Its score does not depend on what else is in the batch."""
        found = course.rehearsal.scores_in_parts("warm_c")
        assert _difference(found, course.scores["warm_c"]) < FLOAT_ERROR, (
            "scores depend on the other rows of the batch"
        )

    def test_the_same_seed_gives_the_same_scores(
        self, course: Course, given: dict[str, Any]
    ) -> None:
        """Bit for bit: whatever is drawn at random is drawn from the run's seed."""
        rehearsal = Rehearsal(self.model, self.base_name, given)
        for phase in rehearsal.phases():
            assert torch.equal(rehearsal.scores(phase), course.scores[phase]), (
                f"two runs differ after {phase}: something is drawn without the run's seed"
            )

    # files and production

    def test_a_checkpoint_holds_all_of_it(self, course: Course, given: dict[str, Any]) -> None:
        """Loaded without executing code, it scores as what was saved."""
        state = torch.load(course.warm, weights_only=True)["state_dict"]
        rehearsal = course.rehearsal
        if moves_base(rehearsal.model):
            loaded = type(rehearsal.model)(rehearsal.config, rehearsal.data)
            loaded.load_state_dict(state)
            loaded.observe(rehearsal.data.history, "warm_c")
            with torch.no_grad():
                found = loaded.eval().predict(rehearsal.batches["warm_c"])
            assert torch.equal(found.cpu(), course.scores["warm_c"])
            return
        warmer = ItemWarmer.load(course.warm)
        for name, value in warmer.model.state_dict().items():
            assert torch.equal(value, state[name]), name
        assert self._online_difference(course, warmer, "warm_c") < FLOAT_ERROR, (
            "the loaded model has other scores: its state is not all in parameters and buffers"
        )

    def test_online_equals_the_phases(self, course: Course) -> None:
        """The warm-up sets through an ItemWarmer give the scores of the phases."""
        rehearsal = course.rehearsal
        if moves_base(rehearsal.model):
            pytest.skip("the base goes on learning: such a model is not served online")
        warmer = ItemWarmer.load(course.cold)
        assert self._online_difference(course, warmer, "cold") < FLOAT_ERROR, "before the first set"
        for phase in WARM_SETS:
            interactions = rehearsal.interactions(phase)
            seen = warmer.observe(interactions, networks=True)
            assert seen.learned == len(interactions)
            assert self._online_difference(course, warmer, phase) < FLOAT_ERROR, f"after {phase}"

    def test_items_can_be_added(self, course: Course) -> None:
        """Tables grow: no other score changes, and the new items are scored and warmed up."""
        if moves_base(course.rehearsal.model):
            pytest.skip("the base goes on learning: such a model is not served online")
        warmer = ItemWarmer.load(course.warm)
        pairs = course.rehearsal.interactions("test")
        users, items = pairs["user_id"], pairs["item_id"]
        before = warmer.score(users, items)
        added = [f"new {i}" for i in range(4)]
        warmer.add_items(
            pd.DataFrame({"item_id": added, "category": "c1", "tags": "t0 t1", "unknown": "x"})
        )
        assert np.array_equal(warmer.score(users, items), before), "growing changed scores"
        start = warmer.score(users[:4], added)
        assert np.isfinite(start).all()
        warmer.observe(
            pd.DataFrame({"user_id": users[:4], "item_id": added, "label": 1, "timestamp": 2e9})
        )
        assert np.isfinite(warmer.score(users[:4], added)).all()

    def _online_difference(self, course: Course, warmer: ItemWarmer, phase: str) -> float:
        """The largest difference between an ItemWarmer's scores of the test set and a phase's."""
        pairs = course.rehearsal.interactions("test")
        found = torch.from_numpy(warmer.score(pairs["user_id"], pairs["item_id"]))
        return _difference(found, course.scores[phase][course.rehearsal.rows("test")])


def _item_tables(model: WarmUpMethod) -> set[str]:
    """Names in the state of the method's own tables with a row for every item."""
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Embedding)
        and module.num_embeddings == model.table.n_items
        and not name.startswith("base.")
    }


def _difference(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first - second).abs().max())
