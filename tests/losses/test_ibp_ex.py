import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pear_lightning.losses import IBPExLoss
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP
from tests.losses import model_losses
from tests.losses.model_losses import AN_IDENTITY_THAT_IS_NOT_AFFINE
from tests.modules.helpers import quiet_trainer
from tests.modules.test_right_reasons import masked_loader
from tests.reference import robust_reasons as reference


def batch(n=5):
    x, y = torch.randn(n, 4).double(), torch.randint(3, (n,))
    return x, y, (torch.rand(n, 4) > 0.5).double()


@pytest.mark.parametrize("elided", [True, False])
@pytest.mark.parametrize("eps", [0.0, 0.1, 0.5])
def test_with_the_weight_one_minus_alpha_it_is_the_papers_objective(eps, elided):
    model, (x, y, mask) = MLP(4, 3, (6, 5)).double(), batch()
    layers = [(m.weight, m.bias) for m in model.modules() if isinstance(m, nn.Linear)]
    whole = model if elided else nn.Sequential(model, *AN_IDENTITY_THAT_IS_NOT_AFFINE)
    _, excess = IBPExLoss(eps).of_model(whole, (x, y, mask))
    objective = F.cross_entropy(model(x), y) + 0.3 * excess
    wanted = reference.ibp_ex(layers, x, y, mask, eps, alpha=0.7, elided=elided)
    torch.testing.assert_close(objective, wanted)
    weights = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(objective, weights), torch.autograd.grad(wanted, weights)
    )


def test_no_change_of_the_marked_features_does_worse():
    model, (x, y, mask) = MLP(4, 3, (6, 5)).double(), batch()
    at_inputs = F.cross_entropy(model(x), y)
    _, excess = IBPExLoss(0.4).of_model(model, (x, y, torch.ones_like(mask)))
    for _ in range(100):
        moved = x + 0.4 * (2 * torch.randint(2, x.shape) - 1)
        assert F.cross_entropy(model(moved), y) - at_inputs <= excess + 1e-12
    assert excess > 0


def test_without_a_box_there_is_no_excess():
    model, (x, y, mask) = MLP(4, 3, (6, 5)).double(), batch()
    assert abs(IBPExLoss(0.0).of_model(model, (x, y, mask))[1].item()) < 1e-12


def test_the_ramp_counts_training_batches_and_is_kept():
    model, (x, y, mask) = MLP(4, 3, (6, 5)).double(), batch()
    loss, full = IBPExLoss(0.4, ramp_steps=4), IBPExLoss(0.2)
    with torch.no_grad():  # validation does not count
        loss.of_model(model, (x, y, mask))
    assert loss.ramp == 0
    loss.of_model(model, (x, y, None))  # a batch without annotations does
    _, value = loss.of_model(model, (x, y, mask))
    assert loss.ramp == 0.5
    torch.testing.assert_close(value, 0.5 * full.of_model(model, (x, y, mask))[1])
    restored = IBPExLoss(0.4, ramp_steps=4)
    restored.load_state_dict(loss.state_dict())
    assert restored.ramp == 0.5
    for _ in range(5):
        loss.of_model(model, (x, y, mask))
    assert loss.ramp == 1


def test_before_the_ramp_the_full_loss_is_measured():
    """A weight is matched to the loss before it has acted, with gradients off."""
    model, (x, y, mask) = MLP(4, 3, (6, 5)).double(), batch()
    loss, full = IBPExLoss(0.4, ramp_steps=4), IBPExLoss(0.4)
    with torch.no_grad():
        value = loss.of_model(model, (x, y, mask))[1]
        torch.testing.assert_close(value, full.of_model(model, (x, y, mask))[1])
    assert value > 0
    first = loss.of_model(model, (x, y, mask))[1]
    with torch.no_grad():  # from now on, it is that of the present share
        torch.testing.assert_close(loss.of_model(model, (x, y, mask))[1], first.detach())
    module = RightForTheRightReasons(
        MLP(6, 2, (8,)), 0.5, IBPExLoss(0.1, ramp_steps=4), match_magnitude=True, start_epoch=1
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "match_magnitude: at epoch")  # it has hardly learned
        quiet_trainer(max_epochs=3).fit(module, masked_loader())
    assert module.weight.is_matched
    assert module.loss.ramp == 1


def test_bounds_do_not_depend_on_the_autocast_of_the_caller():
    (x, y, mask), model = batch(), MLP(4, 3, (6, 5))
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            loss = IBPExLoss(0.3).of_model(model, (x.float(), y, mask))[1]
        found.append(
            (loss, *torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
        )
    assert found[0][0].dtype == found[1][0].dtype == torch.float32
    for exact, coarse in zip(*found, strict=True):
        assert (exact is coarse is None) or torch.equal(exact, coarse)


@pytest.mark.parametrize("name", model_losses.IN_FLOAT32)
def test_contract(name):
    model_losses.IN_FLOAT32[name](IBPExLoss(0.1))


def test_settings():
    with pytest.raises(ValueError, match="eps must be at least 0"):
        IBPExLoss(-1.0)
    with pytest.raises(ValueError, match="ramp_steps must be at least 0"):
        IBPExLoss(ramp_steps=-1)
    assert "ramp_steps=3" in repr(IBPExLoss(ramp_steps=3))
    assert IBPExLoss.default_weight == 0.5
