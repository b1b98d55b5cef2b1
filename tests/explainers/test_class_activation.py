"""Grad-CAM++ and Score-CAM; Grad-CAM has tests of its own."""

import pytest
import torch
from torch import nn

from pear_lightning.explainers import GradCAMPlusPlus, Gradient, ScoreCAM, explain
from tests.reference import class_activation as reference

BOTH = pytest.mark.parametrize("kind", [GradCAMPlusPlus, ScoreCAM])


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(4, 3, 3, padding=1), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(48, 3),
    )  # fmt: skip


def images(n=5):
    return torch.rand(n, 2, 8, 8), torch.randint(3, (n,))


def maps(model, x, y, kind, layer="4", **options):
    return explain(model, x, y, [kind(layer, resize=False, **options)])[1][0]


def test_the_formula_of_grad_cam_plus_plus():
    model, (x, y) = network().double().eval(), images()
    wanted = torch.stack([
        reference.grad_cam_plus_plus(model[:5], model[5:], x_n, y_n)
        for x_n, y_n in zip(x.double(), y, strict=True)
    ])[:, None]  # fmt: skip
    found = maps(model, x.double(), y, GradCAMPlusPlus, relu=False)
    torch.testing.assert_close(found, wanted)
    assert found.std() > 0


def test_the_formula_of_score_cam():
    model, (x, y) = network().double().eval(), images()
    model[3].weight.data[1], model[3].bias.data[1] = 0, 1  # a constant channel
    wanted = torch.stack([
        reference.score_cam(model[:5], model[5:], x_n, y_n)
        for x_n, y_n in zip(x.double(), y, strict=True)
    ])[:, None]  # fmt: skip
    torch.testing.assert_close(maps(model, x.double(), y, ScoreCAM, relu=False), wanted)


def test_score_cam_prefers_the_channel_that_the_model_reads():
    model = nn.Sequential(nn.Identity(), nn.Flatten(2), nn.AvgPool1d(36), nn.Flatten())
    model.append(nn.Linear(2, 1, bias=False)).eval()
    model[4].weight.data = torch.tensor([[200.0, 0.0]])
    x = torch.zeros(1, 2, 6, 6)
    x[0, 0, 1, 1], x[0, 1, 4, 4] = 1, 1
    found = maps(model, x, None, ScoreCAM, layer="0")
    torch.testing.assert_close(found[0, 0, 1, 1], torch.tensor(200 / 36).sigmoid())


@BOTH
def test_batch_independence_and_chunks(kind):
    model, (x, y) = network(), images()
    together = maps(model, x, y, kind)
    each = torch.cat([maps(model, x[[n]], y[[n]], kind) for n in range(5)])
    torch.testing.assert_close(together, each)
    chunked = explain(model, x, y, [kind("4", resize=False)], points_per_pass=2)[1][0]
    torch.testing.assert_close(together, chunked)


@BOTH
def test_maps_are_resized_beside_other_explainers_and_flags_come_back(kind):
    model, (x, y) = network(), images()
    flags = [module.training for module in model.modules()]
    logits, found = explain(model, x, y, {"gradient": Gradient(), "cam": kind("4")})
    assert [module.training for module in model.modules()] == flags
    assert not model[4]._forward_hooks
    wanted = nn.functional.interpolate(maps(model, x, y, kind), (8, 8), mode="bilinear")
    torch.testing.assert_close(found["cam"], wanted.expand_as(x))
    torch.testing.assert_close(logits, model.eval()(x))


@BOTH
def test_inference_mode_and_bfloat16(kind):
    model, (x, y) = network(), images()
    wanted = maps(model, x, y, kind)
    with torch.inference_mode():
        torch.testing.assert_close(maps(model, x.clone(), y.clone(), kind), wanted)
    with torch.autocast("cpu", torch.bfloat16):
        low = maps(model, x, y, kind)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, wanted, rtol=0.2, atol=0.02)


def test_grad_cam_plus_plus_reaches_the_weights_and_score_cam_does_not():
    model, (x, y) = network(), images()
    _, (plus, score) = explain(
        model, x, y, [GradCAMPlusPlus("4"), ScoreCAM("4")], create_graph=True
    )
    gradients = torch.autograd.grad(plus.square().sum(), [model[0].weight, model[7].weight])
    assert all(gradient.any() for gradient in gradients)
    assert not score.requires_grad
    assert not ScoreCAM.differentiable


def test_score_cam_explains_what_has_no_gradient():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = nn.Identity()

        def forward(self, x):
            return (self.map(x) > 0.5).float().sum(dim=(1, 2, 3))[:, None]

    found = maps(Counts(), torch.rand(2, 1, 4, 4), None, ScoreCAM, layer="map")
    assert found.shape == (2, 1, 4, 4)


def test_errors():
    model, (x, y) = network(), images()
    with pytest.raises(ValueError, match=r"layer '3' must not have a negative output.*GradCAM"):
        maps(model, x, y, GradCAMPlusPlus, layer="3")
    for kind in (GradCAMPlusPlus, ScoreCAM):
        with pytest.raises(ValueError, match="must return channels and positions"):
            maps(model, x, y, kind, layer="6" if kind is ScoreCAM else "7")
        with pytest.raises(ValueError, match="layer must name a layer of the model"):
            maps(model, x, y, kind, layer="nowhere")
    twice = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(128, 3))
    twice.insert(0, twice[0])
    with pytest.raises(ValueError, match="must be called once in a forward pass"):
        maps(twice, x, y, ScoreCAM, layer="0")
    with pytest.raises(ValueError, match=r"spatial dimensions.*ScoreCAM\(\.\.\., resize=False\)"):
        explain(nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Flatten(), nn.Linear(16, 2)),
                torch.rand(2, 16), y[:2] % 2, [ScoreCAM("0")])  # fmt: skip
