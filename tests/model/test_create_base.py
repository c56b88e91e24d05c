import pytest

from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base import create_base


@pytest.mark.parametrize("std", [0.1, 1.0])
def test_embedding_init(make, std):
    """Embeddings get the given spread; first-order weights and layers stay RecBole's."""
    config, data = make(embedding_init=std)
    base = create_base(config, data)
    weight = base.token_embedding_table.embedding.weight
    assert float(weight.std()) == pytest.approx(std, rel=0.1)
    assert float(base.token_seq_embedding_table[0].weight.std()) == pytest.approx(std, rel=0.3)
    assert float(base.first_order_linear.token_embedding_table.embedding.weight.std()) < 0.5


def test_embedding_init_is_recboles_by_default(make):
    config, data = make()
    weight = create_base(config, data).token_embedding_table.embedding.weight
    rows, size = weight.shape
    assert float(weight.std()) == pytest.approx((2 / (rows + size)) ** 0.5, rel=0.1)  # Xavier


@pytest.mark.parametrize(
    ("base", "given"),
    [
        ("AutoInt", {"num_heads": 3}),
        ("AutoInt", {"dropout_probs": [0.1]}),
        ("SASRec", {"n_heads": 3}),
        ("NARM", {"dropout_probs": [0.1]}),
    ],
)
def test_settings_that_do_not_fit_each_other(make, base, given):
    with pytest.raises(UserError, match=f"base={base} cannot be built with these settings: "):
        create_base(*make(base=base, **given))
