"""Every method on image backbones of timm: one step of training and of validation."""

from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from pear_lightning.masking import PatchMasker
from pear_lightning.nn import ScoresActivation, timm_model
from tests.matrix.cells import (
    CALLBACKS,
    CLASSES,
    METHODS,
    PRECISIONS,
    Plain,
    callback_of,
    check_gradients,
    check_logged,
    close,
    fit,
    gated,
    saliency_and_scores,
    trained_by,
)

pytestmark = pytest.mark.vision

MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "resnet18": ({"channels": (4, 8, 8, 8), "layers": (1, 1, 1, 1), "zero_init_last": False},
                 "layer2"),
    "convnext_atto": ({"depths": (1, 1, 1, 1), "dims": (8, 8, 8, 8), "ls_init_value": 1.0},
                      "stages.1"),
    "vit_tiny_patch16_224": ({"img_size": 32, "patch_size": 8, "depth": 1, "embed_dim": 16,
                              "num_heads": 2}, "blocks.0"),
    "efficientnet_lite0": ({}, "blocks.1"),
    "swin_tiny_patch4_window7_224": ({"img_size": 32, "window_size": 4, "embed_dim": 12,
                                      "depths": (1, 1), "num_heads": (2, 2)}, "layers.1"),
}  # fmt: skip
MASKER = PatchMasker(8)
every_model = pytest.mark.parametrize("name", MODELS)
every_precision = pytest.mark.parametrize("precision", PRECISIONS)


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return timm_model(name, num_classes=CLASSES, **MODELS[name][0])


def channels_at(backbone: nn.Module, place: str, axis: int) -> int:
    """Return the number of channels of the input of a module."""
    seen: list[int] = []
    module = backbone.get_submodule(place)
    hook = module.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[axis]))
    backbone.eval()(batch()[0])
    hook.remove()
    backbone.train()
    return seen[0]


def batch(rows: int = 3) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(rows, 16)
    mask[:, :4] = 1
    return torch.randn(rows, 3, 32, 32, generator=generator), torch.tensor([0, 1, 2][:rows]), mask


@every_model
@every_precision
@pytest.mark.parametrize("method", METHODS)
def test_explanations_train_the_network(name, precision, method):
    trainer, gradients = fit(trained_by(method, build(name), MASKER), batch(), precision)
    check_gradients(gradients, next(iter(dict(build(name).named_parameters()))))
    check_logged(trainer)


@every_model
@every_precision
@pytest.mark.parametrize("inside", [False, True])
def test_scores_of_channels(name, precision, inside):
    backbone, place = build(name), MODELS[name][1] if inside else None
    axis = -1 if inside and name.startswith(("vit", "swin")) else 1  # tokens: channels come last
    features = channels_at(backbone, place, axis) if place else 3
    gate = ScoresActivation(features, axis=axis, check_scale=False)
    module = gated(backbone, gate, place)
    _, gradients = fit(module, batch()[:2], precision)
    check_gradients(gradients, "gate")
    assert module.scores.shape == (features,)
    assert module.scores.max() > module.scores.min()


@every_model
@every_precision
@pytest.mark.parametrize("callback", CALLBACKS)
def test_callbacks(name, precision, callback, tmp_path):
    shown = callback_of(callback, MASKER)
    options = {"logger": CSVLogger(tmp_path)} if callback == "pictures" else {}
    trainer, gradients = fit(Plain(build(name)), batch()[:2], precision, shown, **options)
    check_gradients(gradients, "")
    if callback == "pictures":
        assert len(list(tmp_path.rglob("val_attributions-*.png"))) == 1
    else:
        values = [v for n, v in trainer.callback_metrics.items() if n.startswith("val_")]
        assert len(values) > 5
        assert all(value.isfinite() for value in values)


@every_model
@every_precision
def test_an_image_does_not_depend_on_its_batch_or_memory_format(name, precision):
    network = build(name).eval()
    inputs, target, _ = batch()
    last = inputs.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        saliency, scores = saliency_and_scores(network, (inputs, target), MASKER)
        alone = saliency_and_scores(network, (inputs[1:2], target[1:2]), MASKER)
        network.to(memory_format=torch.channels_last)
        in_format = saliency_and_scores(network, (last, target), MASKER)
    for explainer, each in saliency.items():
        close(alone[0][explainer], each[1:2], precision)
        close(in_format[0][explainer], each, precision)
    if precision == "32-true":  # ranks of bfloat16 values have ties, and scores follow ranks
        for metric, each in scores.items():
            close(alone[1][metric], each[:, 1:2], precision)
            close(in_format[1][metric], each, precision)
