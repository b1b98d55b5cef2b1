import pytest
import torch
from torch import nn

from pear_lightning.losses import RBRIdentityHessianLoss
from pear_lightning.nn import MLP
from pear_lightning.scoring import Batch
from pear_lightning.scoring.parameter_influence import parameter_influence
from tests.losses import model_losses
from tests.losses.model_losses import REFUSED_BY_TRANSFORMS
from tests.reference import robust_reasons as reference


def setting(activation="softplus", n=4):
    x, y = torch.randn(n, 4).double(), torch.randint(3, (n,))
    mask = (torch.rand(n, 4) > 0.5).double()
    mask[:, 0] = 1
    return MLP(4, 3, (6, 5), activation=activation).double(), x, y, mask


@pytest.mark.parametrize("activation", ["softplus", "relu"])
def test_the_formula_and_its_gradients(activation):
    model, x, y, mask = setting(activation)
    logits, loss = RBRIdentityHessianLoss().of_model(model, (x, y, mask))
    torch.testing.assert_close(logits, model(x))
    wanted = reference.rbr_identity_hessian(model, x, y, mask)
    torch.testing.assert_close(loss, wanted)
    weights = [p for p in model.parameters() if p.ndim > 1]
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights), torch.autograd.grad(wanted, weights)
    )


def test_methods_and_frozen_weights():
    model, x, y, mask = setting()
    wanted = parameter_influence(model, Batch(x, y))
    torch.testing.assert_close(parameter_influence(model.forward, Batch(x, y)), wanted)

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = model

        def logits(self, inputs):
            return self.network(inputs)

    torch.testing.assert_close(parameter_influence(Wrapped().logits, Batch(x, y)), wanted)
    frozen = parameter_influence(model.requires_grad_(False), Batch(x, y))
    torch.testing.assert_close(frozen, wanted.detach())
    assert not frozen.requires_grad
    with pytest.raises(ValueError, match="forward must be a module or a method of a module"):
        parameter_influence(lambda inputs: inputs, Batch(x, y))
    assert mask.any()


@pytest.mark.filterwarnings("ignore:torch.func.vjp cannot differentiate")
@pytest.mark.parametrize("name", REFUSED_BY_TRANSFORMS)
def test_models_that_torch_func_refuses_are_named(name):
    model, x, y, mask = setting()
    refused = REFUSED_BY_TRANSFORMS[name](model)
    message = "forward must be a model that torch.func can differentiate, .* got Sequential"
    with pytest.raises(RuntimeError, match=message):
        RBRIdentityHessianLoss().of_model(refused, (x, y, mask))


@pytest.mark.parametrize("name", model_losses.IN_FLOAT32)
def test_contract(name):
    model_losses.IN_FLOAT32[name](RBRIdentityHessianLoss())
