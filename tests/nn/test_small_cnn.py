import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.explainers import Gradient, explain
from pear_lightning.nn import SmallCNN


def test_it_is_the_formula():
    model = SmallCNN(2, 3, (8, 16), "tanh").eval()
    inputs = torch.randn(4, 2, 9, 7)
    first, norm, _, _, second, next_norm, _ = model.body
    hidden = torch.tanh(norm(F.conv2d(inputs, first.weight, padding=1)))
    hidden = F.avg_pool2d(hidden, 2, ceil_mode=True)
    hidden = torch.tanh(next_norm(F.conv2d(hidden, second.weight, padding=1)))
    expected = hidden.mean((2, 3)) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(inputs), expected)


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (5, 17), (1, 1)])
@pytest.mark.parametrize("normalization", ["group", "batch", None])
def test_images_of_any_size(size, normalization):
    model = SmallCNN(1, 5, (4, 8), normalization=normalization, dropout=0.5).eval()
    assert model(torch.rand(2, 1, *size)).shape == (2, 5)
    kinds = {"group": nn.GroupNorm, "batch": nn.BatchNorm2d}
    norms = [m for m in model.modules() if isinstance(m, nn.GroupNorm | nn.BatchNorm2d)]
    assert {type(m) for m in norms} == ({kinds[normalization]} if normalization else set())


@pytest.mark.parametrize("normalization", ["group", "batch"])
def test_training_on_explanations_reaches_every_convolution(normalization):
    model, inputs = SmallCNN(3, 4, (4, 8, 8), normalization=normalization), torch.rand(3, 3, 12, 12)
    _, (attributions,) = explain(model, inputs, 1, [Gradient()], create_graph=True)
    attributions.square().sum().backward()
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.weight.grad.abs().sum() > 0 for m in convolutions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": ()}, r"channels must hold .*, got \[\]"),
        ({"channels": (8, 0)}, r"channels must hold .*, got \[8, 0\]"),
        ({"num_classes": 0}, "num_classes=0"),
        ({"activation": "sine"}, "activation must be one of .*, got 'sine'"),
        ({"normalization": "layer"}, "normalization must be None or one of .*, got 'layer'"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_arguments_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        SmallCNN(**arguments)


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (3, 8, 8)])
def test_images_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"inputs must have shape \(B, 3, H, W\), got"):
        SmallCNN()(torch.rand(shape))
