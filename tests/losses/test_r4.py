import pytest
import torch
from torch import nn

from pear_lightning.explainers import Gradient, explain
from pear_lightning.losses import CDEPLoss, IBPExLoss, R4Loss
from pear_lightning.nn import MLP
from tests.losses import model_losses
from tests.losses.model_losses import AN_IDENTITY_THAT_IS_NOT_AFFINE
from tests.reference import robust_reasons as reference


def batch(n=5):
    x, y = torch.randn(n, 4).double(), torch.randint(3, (n,))
    return x, y, (torch.rand(n, 4) > 0.5).double()


def network():
    model = MLP(4, 3, (6, 5)).double()
    return model, [(m.weight, m.bias) for m in model.modules() if isinstance(m, nn.Linear)]


@pytest.mark.parametrize("elided", [True, False])
@pytest.mark.parametrize("eps", [0.0, 0.05, 0.5])
def test_the_papers_formula_and_its_gradients(eps, elided):
    (model, layers), (x, y, mask) = network(), batch()
    whole = model if elided else nn.Sequential(model, *AN_IDENTITY_THAT_IS_NOT_AFFINE)
    _, loss = R4Loss(eps).of_model(whole, (x, y, mask))
    wanted = reference.r4(layers, x, y, mask, eps, elided)
    torch.testing.assert_close(loss, wanted)
    weights = [w for w, _ in layers]
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights), torch.autograd.grad(wanted, weights)
    )


@pytest.mark.parametrize("output", ["log_prob", "sum_log_prob"])
def test_without_a_box_it_is_twice_the_masked_gradient(output):
    (model, _), (x, y, mask) = network(), batch()
    _, (g,) = explain(model, x, y, [Gradient()], output=output)
    _, loss = R4Loss(0.0, output=output).of_model(model, (x, y, mask))
    torch.testing.assert_close(loss, 2 * (mask * g).abs().sum() / x.numel())


def test_wide_boxes_cost_more():
    (model, _), (x, y, mask) = network(), batch()
    losses = [R4Loss(eps).of_model(model, (x, y, mask))[1].item() for eps in (0.0, 1.0, 2.0)]
    assert losses == sorted(losses)
    assert losses[-1] > 2 * losses[0]


def test_training_makes_the_gradient_small_in_the_whole_box():
    model, x, y = MLP(4, 2, (16,)), torch.randn(64, 4), torch.randint(2, (64,))
    mask = torch.eye(4)[[0]].expand(64, 4)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)

    def steepest():
        points = x + 0.5 * mask * (2 * torch.rand(50, 64, 4) - 1)
        gradients = [explain(model, p, y, [Gradient()], output="log_prob")[1][0] for p in points]
        return (mask * torch.stack(gradients)).abs().max().item()

    before = steepest()
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        (loss + 10 * R4Loss(0.5).of_model(model, (x, y, mask))[1]).backward()
        optimizer.step()
    assert steepest() < 0.25 * before


def test_bounds_do_not_depend_on_the_autocast_of_the_caller():
    (x, y, mask), model = batch(), MLP(4, 3, (6, 5))
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            loss = R4Loss(0.3).of_model(model, (x.float(), y, mask))[1]
        found.append(
            (loss, *torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
        )
    assert found[0][0].dtype == found[1][0].dtype == torch.float32
    for exact, coarse in zip(*found, strict=True):
        assert (exact is coarse is None) or torch.equal(exact, coarse)


@pytest.mark.parametrize("name", model_losses.IN_FLOAT32)
def test_contract(name):
    model_losses.IN_FLOAT32[name](R4Loss(0.1))


class Written(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer, self.function = nn.Linear(4, 3), function

    def forward(self, x):
        return self.function(self.layer(x))


OPERATIONS = {
    "pow": lambda h: h**2,
    "gt": lambda h: h if h.sum() > 0 else -h,
    "div": lambda h: 1 / h,
}


@pytest.mark.parametrize("loss", [R4Loss(), IBPExLoss(), CDEPLoss()], ids=repr)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operator_in_a_layer_is_named(loss, name):
    x, y, mask = batch()
    model = nn.Sequential(Written(lambda h: -h), nn.Linear(3, 4), Written(OPERATIONS[name]))
    what = "div must have a number" if name == "div" else f"{name} must have a rule"
    with pytest.raises(NotImplementedError, match=rf"layer '2' \(Written\): {what}"):
        loss.of_model(model.double(), (x, y, mask))


def test_settings():
    with pytest.raises(ValueError, match="eps must be at least 0"):
        R4Loss(-1.0)
    with pytest.raises(ValueError, match=r"output must be one of .*, got 'logit'"):
        R4Loss(output="logit")
    assert "eps=0.5" in repr(R4Loss(0.5))


def test_a_layer_without_rules_is_named():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.GELU()), nn.Linear(4, 3)).double()
    with pytest.raises(NotImplementedError, match=r"layer '1\.0' \(GELU\): gelu must have a rule"):
        R4Loss().of_model(model, batch())
    with pytest.raises(NotImplementedError, match=r"MLP|LayerNorm"):
        R4Loss().of_model(MLP(4, 3, normalization="layer").double(), batch())
    with pytest.raises(TypeError, match="must return logits"):
        R4Loss().of_model(lambda inputs: inputs.shape, batch())
    with pytest.raises(NotImplementedError, match="the model: softmax"):
        R4Loss().of_model(lambda inputs: inputs.softmax(1), batch())
