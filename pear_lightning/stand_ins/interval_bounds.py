"""Bounds of a model's logits and input gradients over a box around each input."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from pear_lightning.scoring.scorer import Forward
from pear_lightning.stand_ins.intervals import Interval, pull_back
from pear_lightning.stand_ins.stand_in_forward import stand_in_forward

BoundedScalar = Literal["log_prob", "sum_log_prob"]


def logit_bounds(
    forward: Forward,
    inputs: Tensor,
    radius: Tensor,
    forward_kwargs: Mapping[str, Any] | None = None,
) -> tuple[Interval, Interval]:
    """Return a box around each input, ``(B, *S)``, and bounds of the logits in it, ``(B, C)``.

    Args:
        forward: The model.
        inputs: Inputs, ``(B, *S)``.
        radius: Half the width of the box, at least 0, broadcast to the inputs.
        forward_kwargs: Further keyword arguments of the model.

    Raises:
        NotImplementedError: If a layer has no interval arithmetic; the message names it.
    """
    box = Interval(inputs - radius, inputs + radius)
    return box, stand_in_forward(forward, box, forward_kwargs)


def input_gradient_bounds(
    box: Interval, logits: Interval, target: Tensor, scalar: BoundedScalar = "log_prob"
) -> Interval:
    r"""Return bounds of the input gradient of a log-probability over a box, ``(B, *S)``.

    With :math:`\partial \log p_y / \partial z = e_y - p` and
    :math:`\partial \sum_k \log p_k / \partial z = 1 - K p`, bounds of the probabilities over the
    box are the starting point of the backward pass through the layers.

    Args:
        box: The box, ``(B, *S)``.
        logits: Bounds of the logits that a model computed from it, ``(B, C)``.
        target: Labels, ``(B,)``.
        scalar: Scalar that is differentiated: the label's log-probability (the cross-entropy up to
            its sign), or the sum over all classes.
    """
    least, most = probability_bounds(logits)
    if scalar == "log_prob":
        own = torch.nn.functional.one_hot(target, logits.shape[1]).to(least.dtype)
        return pull_back(logits, Interval(own - most, own - least), box)
    n = logits.shape[1]
    return pull_back(logits, Interval(1 - n * most, 1 - n * least), box)


def probability_bounds(logits: Interval) -> tuple[Tensor, Tensor]:
    """Return the tightest bounds of the probabilities of all classes for a box of logits.

    Args:
        logits: Bounds of the logits, ``(B, C)``.

    Returns:
        Lower and upper bounds, ``(B, C)`` each.

    Example:
        >>> logits = Interval(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
        >>> least, most = probability_bounds(logits)
        >>> bool(least[0, 1] == 0.5), bool((most[0, 1] - torch.tensor(1.0).sigmoid()).abs() < 1e-6)
        (True, True)
    """
    itself = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)

    def of_others(values: Tensor) -> Tensor:
        return values[:, None].masked_fill(itself, float("-inf")).logsumexp(dim=2)

    least = torch.sigmoid(logits.lower - of_others(logits.upper))
    return least, torch.sigmoid(logits.upper - of_others(logits.lower))
