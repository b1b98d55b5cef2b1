import pytest
import torch
from torch import nn

from pear_lightning.nn import MLP


def test_the_papers_network():
    model = MLP(8)
    kinds = [type(layer) for layer in model.layers]
    assert kinds == [nn.Linear, nn.ReLU] * 3 + [nn.Linear]
    widths = [layer.out_features for layer in model.layers if isinstance(layer, nn.Linear)]
    assert widths == [100, 100, 100, 2]
    assert sum(p.numel() for p in model.parameters()) == 21302


def test_it_is_the_formula():
    model = MLP(4, 3, (5,), "tanh")
    inputs = torch.randn(6, 4)
    first, _, last = model.layers
    hidden = torch.tanh(inputs @ first.weight.T + first.bias)
    torch.testing.assert_close(model(inputs), hidden @ last.weight.T + last.bias)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_order_of_a_hidden_layer(normalization, dropout):
    model = MLP(4, 2, [6, 7], "gelu", dropout, normalization)
    norm = {"batch": [nn.BatchNorm1d], "layer": [nn.LayerNorm], None: []}[normalization]
    hidden = [nn.Linear, *norm, nn.GELU, *([nn.Dropout] if dropout else [])]
    assert [type(layer) for layer in model.layers] == [*hidden, *hidden, nn.Linear]
    assert model(torch.randn(3, 4)).shape == (3, 2)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "softplus", "tanh", "elu"])
def test_gradients_of_gradients_reach_the_weights(activation):
    model = MLP(4, activation=activation)
    inputs = torch.randn(16, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(inputs)[:, 0].sum(), inputs, create_graph=True)
    gradient.square().sum().backward()
    assert model.layers[0].weight.grad.abs().sum() > 0


def test_no_hidden_layer_is_linear():
    model = MLP(4, 3, ())
    assert [type(layer) for layer in model.layers] == [nn.Linear]
    assert model(torch.ones(2, 4)).shape == (2, 3)


def test_two_networks_do_not_share_their_widths():
    assert [p.shape for p in MLP(4).parameters()] == [p.shape for p in MLP(4).parameters()]


@pytest.mark.parametrize("shape", [(3, 5), (3,), (3, 4, 5)])
def test_inputs_of_another_width(shape):
    with pytest.raises(ValueError, match=r"inputs must have shape \(B, 4\), got"):
        MLP(4)(torch.ones(shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_features": 0}, r"at least 1, got \[0, 100, 100, 100, 2\]"),
        ({"hidden_features": (100, 0)}, "layers must have widths of at least 1"),
        ({"out_features": 0}, "layers must have widths of at least 1"),
        ({"activation": "swish"}, "activation must be one of .* got 'swish'"),
        ({"normalization": "group"}, "must be None or one of .* got 'group'"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(**{"in_features": 4, **arguments})


@pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")
@pytest.mark.parametrize("hidden", ["[10, 20]", "[]"])
def test_yaml(hidden):
    from lightning.pytorch.cli import LightningArgumentParser

    parser = LightningArgumentParser()
    parser.add_subclass_arguments(nn.Module, "backbone")
    config = parser.parse_args(
        [
            "--backbone=pear_lightning.nn.MLP",
            "--backbone.in_features=4",
            f"--backbone.hidden_features={hidden}",
            "--backbone.normalization=layer",
        ]
    )
    assert parser.instantiate_classes(config).backbone(torch.ones(2, 4)).shape == (2, 2)
