"""The network of a setting, in the library's module."""

from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import nn

from benchmarks.right_reasons.losses import make_loss
from benchmarks.right_reasons.setting import Setting
from pear_lightning.explainers import Explainer
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP


def make_backbone(setting: Setting, data: Any, seed: int) -> nn.Module:
    """Return a new network."""
    torch.manual_seed(seed)
    width = data.rows("train").inputs[0].numel()
    backbone = (
        small_cnn() if setting.network == "cnn" else MLP(width, data.num_classes, setting.hidden)
    )
    if setting.paper_init:
        draw_as_paper(backbone)
    return backbone


def small_cnn() -> nn.Module:
    """Return a convolutional network on patches of 4 x 4 pixels; layer 3 is its last map, 7 x 7."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=4),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 10),
    )


def draw_as_paper(backbone: nn.Module) -> None:
    """Draw weights and biases as the paper does, 0.1 N(0, 1)."""
    for parameter in backbone.parameters():
        nn.init.normal_(parameter, std=0.1)


def make_optimizer(setting: Setting, data: Any) -> OptimizerCallable:
    """Return what makes the optimiser: Adam, with the paper's λ₂ Σ θ².

    Beside losses summed over the batch it is what Adam's weight decay is beside their means.
    """
    rows = min(setting.batch_size, len(data.rows("train")))
    return lambda parameters: torch.optim.Adam(
        parameters, 1e-3, weight_decay=2 * setting.decay / rows, fused=True
    )


def make_module(setting: Setting, data: Any, seed: int) -> RightForTheRightReasons:
    """Return a new network in the library's module."""
    module = RightForTheRightReasons(
        make_backbone(setting, data, seed),
        setting.weight,
        make_loss(setting.loss),
        num_classes=data.num_classes,
        optimizer=make_optimizer(setting, data),
    )
    for explainer in module.modules():
        if isinstance(explainer, Explainer) and explainer.uses_training_data:
            explainer.fit_reference(data.training_mean, data.training_rows(1024))
    return module
