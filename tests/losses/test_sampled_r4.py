import pytest
import torch
from torch import nn

from pear_lightning.explainers import Gradient, explain
from pear_lightning.losses import PGDR4Loss, R4Loss, RandR4Loss
from pear_lightning.nn import MLP
from tests.losses import model_losses
from tests.losses.model_losses import REFUSED_BY_TRANSFORMS
from tests.reference import robust_reasons as reference


def setting(n=5):
    x, y = torch.randn(n, 4).double(), torch.randint(3, (n,))
    mask = (torch.rand(n, 4) > 0.5).double()
    mask[:, 0] = 1
    return MLP(4, 3, (8, 8), activation="softplus").double(), x, y, mask


def weights(model):
    return [p for p in model.parameters() if p.ndim > 1]


@pytest.mark.parametrize("steps", [1, 3])
def test_pgd_r4(steps):
    model, x, y, mask = setting()
    _, loss = PGDR4Loss(0.4, steps).of_model(model, (x, y, mask))
    wanted = reference.pgd_r4(model, x, y, mask, 0.4, steps)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights(model)), torch.autograd.grad(wanted, weights(model))
    )


def test_rand_r4():
    model, x, y, mask = setting()
    logits, loss = RandR4Loss(0.4, 6, seed=3).of_model(model, (x, y, mask))
    torch.testing.assert_close(logits, model(x))
    generator = torch.Generator().manual_seed(3)
    moves = 0.4 * (2 * torch.rand(6, 1, 4, generator=generator).double() - 1).expand(6, 5, 4)
    wanted = reference.rand_r4(model, x, y, mask, moves)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights(model)), torch.autograd.grad(wanted, weights(model))
    )


def test_what_the_search_finds_is_larger_than_at_the_input_and_within_the_bounds():
    model, x, y, mask = setting()
    _, (g,) = explain(model, x, y, [Gradient()], output="log_prob")
    at_input = (mask * g).abs().sum() / len(x)
    _, found = PGDR4Loss(0.3, 5).of_model(model, (x, y, mask))
    assert found > at_input
    torch.testing.assert_close(PGDR4Loss(0.0).of_model(model, (x, y, mask))[1], at_input)
    _, bound = R4Loss(0.3).of_model(model, (x, y, mask))
    assert found <= bound * x.shape[1]  # R4 is divided by the number of elements
    assert RandR4Loss(0.0).of_model(model, (x, y, mask))[1] < 1e-15


def test_points_may_go_through_the_model_in_portions():
    model, x, y, mask = setting()
    loss = RandR4Loss(0.4, 6, seed=3)
    _, whole = loss.of_model(model, (x, y, mask))
    torch.testing.assert_close(loss.of_model(model, (x, y, mask), points_per_pass=2)[1], whole)


@pytest.mark.filterwarnings("ignore:torch.func.vjp cannot differentiate")
@pytest.mark.parametrize("name", REFUSED_BY_TRANSFORMS)
def test_the_search_differentiates_models_that_torch_func_refuses(name):
    model, x, y, mask = setting()
    wanted = PGDR4Loss(0.4, 3).of_model(model, (x, y, mask))[1]
    gradients = torch.autograd.grad(wanted, weights(model))
    other = REFUSED_BY_TRANSFORMS[name](model)
    found = PGDR4Loss(0.4, 3).of_model(other, (x, y, mask))[1]
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(torch.autograd.grad(found, weights(model)), gradients)
    with torch.inference_mode():
        again = PGDR4Loss(0.4, 3).of_model(other, (x.clone(), y.clone(), mask.clone()))[1]
    torch.testing.assert_close(again, wanted.detach())


@pytest.mark.parametrize("frozen", [False, True])
def test_the_search_stays_where_the_gradient_is_the_same_everywhere(frozen):
    _, x, y, mask = setting()
    model = nn.Linear(4, 3).double().requires_grad_(not frozen)
    loss = PGDR4Loss(0.4, 3, output="logit").of_model(model, (x, y, mask))[1]
    torch.testing.assert_close(loss, (mask * model.weight[y]).abs().sum() / len(x))


@pytest.mark.parametrize(
    "loss", [PGDR4Loss(0.1, 2), RandR4Loss(0.5, 3, seed=0)], ids=["PGD", "Rand"]
)
@pytest.mark.parametrize("name", model_losses.IN_FLOAT32)
def test_contract(loss, name):
    model_losses.IN_FLOAT32[name](loss)


@pytest.mark.parametrize("loss", [PGDR4Loss, RandR4Loss])
def test_settings(loss):
    with pytest.raises(ValueError, match="eps must be at least 0"):
        loss(-0.1)
    with pytest.raises(ValueError, match="must be at least 1"):
        loss(0.1, 0)
    with pytest.raises(ValueError, match="output must be one of"):
        loss(output="loss")
    assert "eps=0.1" in repr(loss())
