"""What a trained network says, and what it looks at."""

import torch
from torch import Tensor, nn

from pear_lightning.explainers import explain
from pear_lightning.explainers.gradient import Gradient

CUTOFF = 0.67


@torch.no_grad()
def predict(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """Return the predicted classes ``(N,)``."""
    return torch.cat([backbone(rows).argmax(dim=1) for rows in inputs.split(2000)])


def gradients(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """Return the gradient of the predicted class's log-probability, ``(N, *S)``.

    In float64: a network on inputs from 0 to 255 is so sure that float32 loses p beside 1.

    Args:
        backbone: The network.
        inputs: Inputs, ``(N, *S)``.
    """
    dtype = next(backbone.parameters()).dtype
    backbone.double()
    target = torch.zeros(len(inputs), dtype=torch.long)  # the output chooses the class
    found = [
        explain(backbone, rows.double(), target[: len(rows)], [Gradient()], output="max_log_prob")[
            1
        ][0].detach()
        for rows in inputs.split(2000)
    ]
    backbone.to(dtype)
    return torch.cat(found)


def looked_at(gradient: Tensor, cutoff: float = CUTOFF) -> Tensor:
    """Mark what matters: above a share of the sample's own largest absolute gradient.

    Args:
        gradient: ``(N, n)``; a row of zeros marks nothing.
        cutoff: The share.
    """
    size = gradient.abs()
    return size > cutoff * size.amax(dim=1, keepdim=True)
