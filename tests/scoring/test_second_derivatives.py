import re

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.explainers import (
    GradCAM,
    Gradient,
    InputXGradient,
    KernelShap,
    Lime,
    Occlusion,
    explain,
)
from pear_lightning.losses import ConsensusLoss, RightReasonsLoss

X, Y = torch.rand(5, 4), torch.arange(5) % 2
WANTED = (
    r"^{} must have a second derivative to train explanations that are gradients, got none in "
    r"torch; use explainers that remove features, KernelShap, Occlusion or Lime\(penalty='ridge'\)"
)


def network(activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), activation, nn.Linear(8, 2))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = network(nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers[2](F.hardsigmoid(self.layers[0](x)))
        return logits


def test_the_layer_is_named() -> None:
    model = nn.Sequential(network(nn.Hardsigmoid()), nn.Softplus(), nn.Linear(2, 2)).train()
    with pytest.raises(RuntimeError, match=WANTED.format(r"layer '0\.1' \(Hardsigmoid\)")):
        explain(model, X, 0, [Gradient()], create_graph=True)
    several = nn.Sequential(*[nn.Hardsigmoid() for _ in range(5)], nn.Linear(4, 2))
    named = ", ".join(rf"'{n}' \(Hardsigmoid\)" for n in range(3))
    with pytest.raises(RuntimeError, match=WANTED.format(f"layers {named}, and 2 more")):
        RightReasonsLoss().of_model(several, (X, Y, torch.eye(5, 4)))
    assert all(each.training for each in model.modules())
    assert not any(each._forward_hooks for each in model.modules())


def test_a_function_outside_layers_is_named_by_torch() -> None:
    function = re.escape(
        "a function of the model (derivative for aten::hardsigmoid_backward is not implemented)"
    )
    loss = ConsensusLoss().explain_with({"a": Gradient(), "b": InputXGradient()})
    with pytest.raises(RuntimeError, match=WANTED.format(function)):
        loss.of_model(Functional(), (X, Y))
    model = Functional()
    with pytest.raises(RuntimeError, match=WANTED.format("a function of the model")):
        explain(lambda x: model(x), X, 0, [Gradient()], create_graph=True)


def test_maps_of_layers() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Hardsigmoid(), nn.Linear(12, 2)
    )
    with pytest.raises(RuntimeError, match=WANTED.format(r"layer '3' \(Hardsigmoid\)")):
        explain(model, torch.rand(2, 1, 4, 4), 0, [GradCAM("0")], create_graph=True)


@pytest.mark.parametrize("explainer", [KernelShap(8), Occlusion(), Lime(8, penalty="ridge")])
def test_the_remedies_train(explainer: nn.Module) -> None:
    model = network(nn.Hardsigmoid())
    _, (found,) = explain(model, X, 0, [explainer], create_graph=True)  # type: ignore[list-item]
    found.square().sum().backward()
    assert all(model[n].weight.grad.any() for n in (0, 2))


def test_explanations_without_training_need_no_second_derivative() -> None:
    model = network(nn.Hardsigmoid())
    _, (found,) = explain(model, X, 0, [Gradient()])
    slope = F.hardsigmoid(points := model[0](X).detach().requires_grad_())
    slope.sum().backward()
    expected = (points.grad * model[2].weight[0]) @ model[0].weight
    torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize(
    "activation",
    [nn.Hardswish, nn.ReLU6, nn.Mish, nn.SiLU, nn.GELU, nn.ELU, nn.Softplus, nn.Hardtanh],
)
def test_layers_with_a_second_derivative_are_not_refused(activation: type[nn.Module]) -> None:
    model = network(activation())
    for _ in range(2):
        _, (found,) = explain(model, X, 0, [Gradient()], create_graph=True)
        found.square().sum().backward()
