import pytest
import torch
from torch import nn

from pear_lightning.losses import HINTLoss, RRRGLoss, SimplifiedHINTLoss
from pear_lightning.losses.class_activation import between_zero_and_one, mask_at
from tests.losses import model_losses
from tests.reference import class_activation as reference


def network():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.Softplus(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(36, 3),
    ).double()  # fmt: skip


def images(n=4):
    x, y = torch.rand(n, 2, 6, 6).double(), torch.randint(3, (n,))
    return x, y, (torch.rand(n, 6, 6) > 0.6).double()


def weights(model):
    return [model[0].weight, model[4].weight]


@pytest.mark.parametrize("layer", ["1", "2"])
def test_rrr_g(layer):
    model, (x, y, mask) = network(), images()
    cut = int(layer) + 1
    _, loss = RRRGLoss(layer, output="max_logit").of_model(model, (x, y, mask))
    wanted = reference.rrr_g(model[:cut], model[cut:], x, mask)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights(model)), torch.autograd.grad(wanted, weights(model))
    )
    _, total = RRRGLoss(layer, "sum", output="max_logit").of_model(model, (x, y, mask))
    torch.testing.assert_close(total, 4 * wanted)


@pytest.mark.parametrize("layer", ["1", "2"])
def test_simplified_hint(layer):
    model, (x, y, mask) = network(), images()
    cut = int(layer) + 1
    _, loss = SimplifiedHINTLoss(layer, output="logit").of_model(model, (x, y, mask))
    wanted = reference.simplified_hint(model[:cut], model[cut:], x, y, mask)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(loss, weights(model)), torch.autograd.grad(wanted, weights(model))
    )


@pytest.mark.parametrize("loss", [RRRGLoss, SimplifiedHINTLoss])
@pytest.mark.parametrize("name", model_losses.CHECKS)
def test_contract(loss, name):
    layer = "network.0" if name == "passes_keyword_tensors_with_their_rows" else "0"
    model_losses.CHECKS[name](loss(layer))


def test_derivatives_of_the_losses_of_maps():
    maps, mask = torch.randn(3, 1, 2, 2).double().requires_grad_(), torch.rand(3, 4, 4) > 0.5
    for loss in (RRRGLoss("layer"), SimplifiedHINTLoss("layer")):
        assert torch.autograd.gradcheck(lambda v, loss=loss: loss(v, mask=mask), (maps,))
        assert torch.autograd.gradgradcheck(lambda v, loss=loss: loss(v, mask=mask), (maps,))


def test_constant_maps_are_zero_with_finite_derivatives():
    maps = torch.full((2, 1, 3, 3), 0.7, requires_grad=True)
    scaled = between_zero_and_one(maps)
    assert not scaled.any()
    scaled.square().sum().backward()
    assert maps.grad.isfinite().all()


def test_maps_have_no_scale():
    maps = torch.rand(2, 1, 3, 3).double()
    torch.testing.assert_close(
        between_zero_and_one(maps * 1e-30 - 2e-30), between_zero_and_one(maps)
    )


def test_a_mask_is_seen_at_the_positions_of_a_layer():
    maps = torch.rand(2, 1, 2, 2)
    mask = torch.zeros(2, 3, 4, 4)
    mask[0, 1, :2, 2] = 1  # half of a cell, in one channel
    for given in (mask, mask.amax(1), mask.amax(1, keepdim=True), mask.bool()):
        assert mask_at(given, maps)[0, 0].tolist() == [[0.0, 0.5], [0.0, 0.0]]
        assert torch.equal(
            mask_at(given[:1], maps), mask_at(given[:1].repeat_interleave(2, 0), maps)
        )
    finer = mask_at(torch.eye(2)[None], torch.rand(1, 1, 4, 4))[0, 0]
    assert torch.equal(finer, torch.eye(2).repeat_interleave(2, 0).repeat_interleave(2, 1))
    for n_dimensions in (1, 2, 3):
        shaped = torch.rand(2, 1, *(2,) * n_dimensions)
        message = rf"positions .* with {n_dimensions} dimensions S, .* got \(4,\)"
        with pytest.raises(ValueError, match=message):
            mask_at(torch.zeros(4), shaped)


@pytest.mark.parametrize("loss", [RRRGLoss("1"), SimplifiedHINTLoss("1"), HINTLoss()])
def test_a_mask_of_maps_holds_zeros_and_ones(loss):
    maps, mask = torch.rand(2, 1, 3, 3), torch.full((2, 6, 6), 0.5)
    with pytest.raises(ValueError, match=r"mask must hold zeros and ones only, got 0\.5"):
        loss(maps, mask=mask)


def test_settings():
    with pytest.raises(ValueError, match=r"reduction must be one of .*, got 'none'"):
        RRRGLoss("1", "none")
    assert "layer='1'" in repr(RRRGLoss("1"))
    assert "layer='1'" in repr(SimplifiedHINTLoss("1"))
    for loss in (RRRGLoss("1"), SimplifiedHINTLoss("1")):
        assert loss(torch.rand(2, 1, 3, 3)).item() == 0
