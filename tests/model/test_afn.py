import numpy as np
import pytest
import torch
from torch import nn

from recbole_mwuf.model.base.afn import LogarithmicLayer
from recbole_mwuf.registry import get_base


def test_logarithmic_layer_is_a_product_of_powers():
    """Two neurons over three fields: x * z^2 and sqrt(y) / x, worked out by hand."""
    layer = LogarithmicLayer(n_fields=3, n_neurons=2, eps=0.0).eval()
    layer.log_norm, layer.exp_norm = nn.Identity(), nn.Identity()
    with torch.no_grad():
        layer.powers.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [-1.0, 0.5, 0.0]]))
        layer.powers.bias.zero_()
    embeddings = torch.tensor([[[2.0, -5.0], [9.0, 4.0], [3.0, 0.1]]])
    expected = torch.tensor([[[2.0 * 9.0, 5.0 * 0.01], [3.0 / 2.0, 2.0 / 5.0]]])
    torch.testing.assert_close(layer(embeddings), expected)


def test_zero_embeddings_stay_finite():
    layer = LogarithmicLayer(n_fields=2, n_neurons=3)
    embeddings = torch.zeros(4, 2, 5, requires_grad=True)
    out = layer(embeddings)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize("ensemble", [False, True])
def test_afn_is_a_recbole_model(make, ensemble):
    config, data = make(model="AFN", afn_ensemble=ensemble)
    model = get_base("AFN")(config, data)
    rows = data.batch(torch.arange(8))
    assert model(rows).shape == (8,)
    assert (model.deep_layers is not None) == ensemble
    model.calculate_loss(rows).backward()
    scores = model.eval().predict(rows).detach().numpy()
    assert np.all((scores > 0) & (scores < 1))
    deep = model.deep_layers(model.concat_embed_input_fields(rows).flatten(1)) if ensemble else 0
    crossed = model.logarithmic_layer(model.concat_embed_input_fields(rows)).flatten(1)
    logit = model.predict_layer(model.mlp_layers(crossed)) + deep
    torch.testing.assert_close(model(rows), logit.squeeze(1))
