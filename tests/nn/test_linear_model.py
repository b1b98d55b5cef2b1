import pytest
import torch

from pear_lightning.nn import LinearModel


def test_gradient_is_the_weight():
    model = LinearModel(4, 3)
    inputs = torch.randn(5, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(inputs)[:, 1].sum(), inputs)
    assert torch.equal(gradient, model.weight[1].expand(5, 4))


def test_inputs_of_another_width():
    with pytest.raises(ValueError, match=r"inputs must have shape \(B, 4\), got \(2, 3\)"):
        LinearModel(4)(torch.ones(2, 3))


@pytest.mark.parametrize("arguments", [(0, 2), (4, 0)])
def test_no_features(arguments):
    with pytest.raises(ValueError, match="must be at least 1, got"):
        LinearModel(*arguments)
