import logging

import pytest
import torch

from recbole_mwuf.data import SetLoader
from recbole_mwuf.model.base import create_base
from recbole_mwuf.trainer import BaseTrainer


def trainer_and_loader(make, loss_func=None, **changes):
    config, data = make(**changes)
    trainer = BaseTrainer(config, create_base(config, data), loss_func)
    return trainer, SetLoader(data, "old", 16)


def test_an_epoch_returns_the_mean_loss_of_a_batch(make):
    trainer, loader = trainer_and_loader(make, learning_rate=0.0)
    with torch.no_grad():
        losses = [trainer.model.calculate_loss(batch).item() for batch in loader]
    assert trainer._train_epoch(loader, 0) == pytest.approx(sum(losses) / len(losses))
    assert trainer.loop.samples == loader.sample_size


def test_a_loss_in_parts_is_summed_for_the_step_and_returned_in_parts(make):
    trainer, loader = trainer_and_loader(make)
    weight = next(trainer.model.parameters())
    parts = trainer._train_epoch(loader, 0, lambda batch: (weight.sum() * 0 + 1, weight.sum() * 3))
    assert parts[0] == 1
    torch.testing.assert_close(weight.grad, torch.full_like(weight, 3.0))


def test_a_loss_that_is_not_a_number_ends_training(make):
    trainer, loader = trainer_and_loader(make, lambda batch: trainer.model_sum() * float("nan"))
    trainer.model_sum = lambda: sum(p.sum() for p in trainer.model.parameters())
    with pytest.raises(ValueError, match="loss is nan"):
        trainer._train_epoch(loader, 0)


def test_clip_grad_norm_acts_on_dense_and_row_wise_parameters(make):
    def moved(**changes):
        trainer, loader = trainer_and_loader(make, learner="sgd", **changes)
        before = [p.detach().clone() for p in trainer.model.parameters()]
        trainer._train_epoch(loader, 0)
        return sum(
            (p.detach() - b).norm().item() for p, b in zip(trainer.model.parameters(), before)
        )

    assert moved(clip_grad_norm={"max_norm": 1e-6}) < 0.01 * moved()
    # SparseAdam's steps do not shrink with the gradient: this must only run
    assert moved(clip_grad_norm={"max_norm": 1e-6}, sparse_embedding=True) > 0


@pytest.mark.parametrize("rows, is_sparse", [(5, True), (10**6, False)])
def test_large_tables_are_row_wise_unless_told_otherwise(make, rows, is_sparse):
    config, data = make(sparse_embedding_rows=rows)
    assert create_base(config, data).token_embedding_table.embedding.sparse is is_sparse
    config, data = make(sparse_embedding_rows=rows, sparse_embedding=not is_sparse)
    assert create_base(config, data).token_embedding_table.embedding.sparse is not is_sparse


def test_weight_decay_of_row_wise_tables_is_refused_aloud(make, caplog):
    with caplog.at_level(logging.WARNING):
        trainer_and_loader(make, sparse_embedding=True, weight_decay=0.1)
    assert "weight_decay=0.1 does not act on" in caplog.text
