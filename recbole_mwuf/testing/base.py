"""The tests of a base model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn

from recbole_mwuf.config import Config
from recbole_mwuf.data import PHASES, ColdStartDataset
from recbole_mwuf.model.base import create_base
from recbole_mwuf.model.item_table import ItemIDs, ItemTable, item_table_of
from recbole_mwuf.quick_start import run
from recbole_mwuf.registry import get_base, own_methods
from recbole_mwuf.testing.common import FLOAT_ERROR, check_finite
from recbole_mwuf.testing.data import NAME
from recbole_mwuf.testing.phases import PhasesConformance
from recbole_mwuf.testing.settings import SettingsConformance
from recbole_mwuf.trainer import seed_stage


class Seam(NamedTuple):
    """An untrained base, fixed, and other ID parameters for its items.

    Attributes:
        base: In evaluation mode.
        table: Its item table.
        data: The data set.
        others: ID parameters for every item, drawn at random, ``[n_items]``.
    """

    base: nn.Module
    table: ItemTable
    data: ColdStartDataset
    others: ItemIDs

    def batch(self, phase: str = "warm_b") -> Interaction:
        """All interactions, as they are scored after a phase."""
        return self.data.batch(torch.arange(len(self.data.inter_feat)), phase)

    def logits(self, batch: Interaction, ids: ItemIDs | None = None) -> Tensor:
        """The base's own logits, or those with other ID parameters in place."""
        with torch.no_grad():
            if ids is None:
                return self.table.as_logits(self.base(batch))
            return self.table.logits(batch, ids)

    def own_rows(self, batch: Interaction) -> ItemIDs:
        """The ID parameters of a batch's items, a row for every sample."""
        return self.table.rows(batch[self.table.item_field]).detach()

    def other_rows(self, batch: Interaction) -> ItemIDs:
        """Others in their place."""
        return self.others.chosen(batch[self.table.item_field])


class BaseConformance(PhasesConformance, SettingsConformance):
    """What a base promises; subclass it in a test module.

    The base must be known by its name: RecBole's, ours, or a guest's by
    :func:`recbole_mwuf.register_base` or an entry point.

    Attributes:
        base: What is proved: a class or a name.
        settings: Settings of all runs that differ from the defaults.
        unfit: Methods that it cannot serve, and why.

    Examples:
        >>> class TestFactorisationMachine(BaseConformance):
        ...     base = "FM"
    """

    unfit: Mapping[str, str] = {}

    @pytest.fixture
    def seam(self, given: dict[str, Any]) -> Seam:
        """A fresh base for every test."""
        config = Config(self.model, NAME, config_dict=given)
        data = ColdStartDataset(config)
        seed_stage(config)
        base = create_base(config, data).eval().requires_grad_(False)
        table = item_table_of(base, data)
        first_order = torch.randn(table.n_items, 1) if table.has_first_order else None
        others = ItemIDs(torch.randn(table.n_items, table.size), first_order)
        return Seam(base, table, data, others)

    def test_is_known_by_its_name(self) -> None:
        """What a user would run is what is proved."""
        found = get_base(self.base_name)
        assert self.base in (self.base_name, found), (
            f"--base={self.base_name} is another class: is it decorated with @register_base?"
        )

    @pytest.mark.parametrize("phase", PHASES)
    def test_own_rows_change_nothing(self, seam: Seam, phase: str) -> None:
        """The items' own ID parameters, put in their place, give the base's logits bit for bit."""
        batch = seam.batch(phase)
        found = seam.logits(batch, seam.own_rows(batch))
        assert torch.equal(found, seam.logits(batch)), "own rows in place change the logits"

    def test_other_rows_act_as_a_changed_table(self, seam: Seam) -> None:
        """They change the logits as writing them into the base does."""
        batch = seam.batch()
        found, own = seam.logits(batch, seam.other_rows(batch)), seam.logits(batch)
        assert not torch.allclose(found, own, atol=1e-3), "other ID parameters change nothing"
        seam.table.assign(torch.arange(seam.table.n_items), seam.others)
        assert torch.equal(found, seam.logits(batch)), "the base reads item IDs past the seam"

    def test_own_rows_have_no_part_beside_others(self, seam: Seam) -> None:
        """The base reads the item ID through the seam only."""
        batch = seam.batch()
        before, own = seam.logits(batch, seam.other_rows(batch)), seam.own_rows(batch)
        first_order = None if own.first_order is None else own.first_order + 1
        seam.table.assign(batch[seam.table.item_field], ItemIDs(own.embedding + 1, first_order))
        found = seam.logits(batch, seam.other_rows(batch))
        assert torch.equal(found, before), "the base reads its items' own rows past the seam"

    def test_every_sample_has_a_row_of_its_own(self, seam: Seam) -> None:
        """One item may have two vectors within a batch; a row acts on its own sample only."""
        if not seam.table.per_row:
            pytest.skip("one item has one vector within a batch of this kind of base")
        batch = seam.batch()
        rows = seam.other_rows(batch)
        changed = rows.embedding.clone()
        changed[::2] += 1
        before = seam.logits(batch, rows)
        after = seam.logits(batch, rows._replace(embedding=changed))
        assert torch.equal(before[1::2], after[1::2]), "a row acts on other samples' logits"
        assert not torch.allclose(before[::2], after[::2], atol=1e-4)

    def test_gradients_reach_the_rows_and_nothing_else(self, seam: Seam) -> None:
        """Of a fixed base only the ID parameters in place learn."""
        batch = seam.batch()
        own = seam.own_rows(batch)
        own.embedding.requires_grad_()
        logits = seam.table.logits(batch, own)
        assert logits.requires_grad, "no gradient reaches the rows"
        logits.sum().backward()
        gradient = own.embedding.grad
        assert gradient is not None and torch.isfinite(gradient).all()
        share = (gradient.abs().sum(1) > 0).float().mean()
        assert share > 0.5, f"only {share:.0%} of the samples' rows have a gradient"
        moved = [name for name, p in seam.base.named_parameters() if p.grad is not None]
        assert not moved, f"gradients also reach {moved}"

    def test_several_rows_in_one_pass(self, seam: Seam) -> None:
        """As many passes would give."""
        batch = seam.batch()
        own, others = seam.own_rows(batch), seam.other_rows(batch)
        with torch.no_grad():
            found = seam.table.logits_of_each(batch, (own, others))
        for logits, ids in zip(found, (own, others)):
            torch.testing.assert_close(logits, seam.logits(batch, ids))

    def test_predicts_probabilities_row_by_row(self, seam: Seam) -> None:
        """Logits ``[B]``, also of a single row; predictions between 0 and 1."""
        whole = seam.batch()
        expected = torch.sigmoid(seam.logits(whole))
        for n in (1, 2, len(whole)):
            batch = whole[slice(n)]
            with torch.no_grad():
                shape, scores = seam.base(batch).shape, seam.table.scores(batch)
            assert shape in ((n,), (n, 1)), f"of {n} rows forward returns {list(shape)}"
            assert ((scores >= 0) & (scores <= 1)).all()
            torch.testing.assert_close(scores, expected[:n], atol=FLOAT_ERROR, rtol=0)

    def test_padding_and_an_empty_history(self, seam: Seam) -> None:
        """An unknown user and an item that no one has seen yet have finite scores."""
        batch = seam.batch("cold")
        ids = {f: torch.zeros_like(batch[f]) for f in (seam.data.uid_field, seam.data.iid_field)}
        assert torch.isfinite(seam.logits(batch)).all(), "before the first interaction"
        unknown = Interaction({**batch.interaction, **ids})
        assert torch.isfinite(seam.logits(unknown)).all(), "unknown users and items: ID 0"

    def test_learns_from_labels(self, seam: Seam) -> None:
        """`calculate_loss` is one number, and its gradient reaches the rows of the items."""
        batch = seam.batch()
        seam.base.requires_grad_(True).train()
        before = seam.own_rows(batch).embedding.clone()
        optimizer = torch.optim.SGD(seam.base.parameters(), lr=100.0)
        loss: Any = seam.base.calculate_loss(batch)  # type: ignore[operator]
        assert loss.dim() == 0 and torch.isfinite(loss), f"the loss is {loss}"
        loss.backward()
        optimizer.step()
        moved = (seam.own_rows(batch).embedding != before).any(1).float().mean()
        assert moved > 0.5, f"training moves the ID embeddings of {moved:.0%} of the items"

    def test_growing_changes_no_other_row(self, seam: Seam) -> None:
        """Room for more items: old logits stay, and new rows are read where they were written."""
        batch, n_items = seam.batch(), seam.table.n_items
        before = seam.logits(batch)
        seam.table.grow(n_items + 3)
        assert torch.equal(seam.logits(batch), before), "growing changes logits"
        new = torch.full_like(batch[seam.table.item_field], n_items + 1)
        one = seam.others.chosen(torch.ones_like(new))
        seam.table.assign(new, one)
        added = Interaction({**batch.interaction, seam.table.item_field: new})
        assert torch.equal(seam.logits(added), seam.logits(batch, one))
        assert torch.equal(seam.logits(batch), before), "a new item's row changes other logits"

    @pytest.mark.parametrize("method", own_methods())
    def test_serves_the_method(self, given: dict[str, Any], method: str) -> None:
        """A whole run: every phase has finite metrics."""
        if method in self.unfit:
            pytest.skip(self.unfit[method])
        more = {**given, "base_phases": False}
        check_finite(run(method, self.base_name, NAME, config_dict=more, saved=False))
