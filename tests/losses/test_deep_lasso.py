import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from pear_lightning.explainers import Gradient, explain
from pear_lightning.losses import DeepLassoLoss, deep_lasso_loss
from pear_lightning.nn import MLP
from tests.reference import scores_activation as reference


def test_loss_is_the_formula_with_the_gradient_of_the_mean_loss():
    model = MLP(5, 3, hidden_features=(8,), activation="softplus")
    x, target = torch.randn(7, 5), torch.randint(3, (7,))
    _, (attributions,) = explain(
        model, x, target, [Gradient()], output="log_prob", create_graph=True
    )
    x.requires_grad_()
    (gradients,) = torch.autograd.grad(F.cross_entropy(model(x), target), x)
    torch.testing.assert_close(attributions, -7 * gradients)
    wanted = reference.deep_lasso(gradients)
    assert DeepLassoLoss()(attributions).item() == pytest.approx(wanted, rel=1e-5)
    assert deep_lasso_loss(-attributions).item() == pytest.approx(wanted, rel=1e-5)


def test_it_reaches_the_weights():
    model = MLP(5, hidden_features=(8,), activation="softplus")
    x, target = torch.randn(7, 5), torch.randint(2, (7,))
    _, (attributions,) = explain(
        model, x, target, [Gradient()], output="log_prob", create_graph=True
    )
    DeepLassoLoss()(attributions).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_gradients():
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(deep_lasso_loss, x)
    assert torch.autograd.gradgradcheck(deep_lasso_loss, x)


def test_a_column_of_zeros_has_a_finite_gradient():
    x = torch.zeros(4, 2, requires_grad=True)
    loss = deep_lasso_loss(x)
    loss.backward()
    assert loss.item() == pytest.approx(2e-4)
    assert not x.grad.any()


def test_columns_are_weighed_as_a_whole():
    spread, gathered = torch.eye(4), torch.zeros(4, 4)
    gathered[:, 0] = 1  # the same sum of squares in one column
    assert deep_lasso_loss(gathered) < 0.6 * deep_lasso_loss(spread)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(deep_lasso_loss(spread[order]), deep_lasso_loss(spread))


def test_shapes_and_dtypes():
    x = torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(deep_lasso_loss(x), deep_lasso_loss(x.flatten(1)))
    assert deep_lasso_loss(x.bfloat16()).dtype == torch.float32


def test_bad_values_are_named():
    with pytest.raises(ValueError, match="eps must be above 0"):
        DeepLassoLoss(0)
    with pytest.raises(ValueError, match="attributions must be finite, got 1 NaN"):
        deep_lasso_loss(torch.tensor([[1.0, float("nan")]]))
