"""Gradients of the first test images, kept for a figure."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.right_reasons.gradients import gradients, predict

PICTURES = 6


def keep_pictures(backbone: nn.Module, data: Any, path: Path) -> None:
    """Keep images and gradients of the first test images.

    Args:
        backbone: The trained network.
        data: Its data.
        path: File to write to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs = data.rows("test").inputs[:PICTURES]
    gradient = gradients(backbone, inputs)
    gradient = gradient / gradient.abs().amax(dim=1, keepdim=True).clamp(min=1e-300)
    images = (inputs / inputs.max() * 255).to(torch.uint8)
    np.savez_compressed(
        path,
        images=images.numpy(),
        gradients=gradient.to(torch.float16).numpy(),
        predicted=predict(backbone, inputs).numpy(),
        target=data.rows("test").target[:PICTURES].numpy(),
    )
