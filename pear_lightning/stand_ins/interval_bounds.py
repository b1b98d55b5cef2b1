"""Bounds of a model's logits and input gradients over a box around each input."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from pear_lightning.functional.expectation_bounds import expectation_bounds
from pear_lightning.scoring.scorer import Forward
from pear_lightning.stand_ins.interval_graph import Term, affine_terms, pull_back
from pear_lightning.stand_ins.intervals import Interval
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


def margin_bounds(logits: Interval, target: Tensor) -> Interval:
    r"""Return bounds of the margins :math:`z_k - z_y` over a box, ``(B, C)``.

    A function that is added to all logits cancels in the margins before anything is bounded.

    Args:
        logits: Bounds of the logits that a model computed from the box, ``(B, C)``.
        target: Labels y, ``(B,)``.

    Example:
        >>> box = Interval(torch.zeros(1, 2), torch.ones(1, 2))
        >>> logits = torch.nn.functional.linear(box, torch.tensor([[5.0, 5.0], [5.0, 6.0]]))
        >>> margin_bounds(logits, torch.tensor([0])).upper
        tensor([[0., 1.]])
    """
    margins = _margins(logits, affine_terms(logits), target)
    return Interval(margins.lower.squeeze(1), margins.upper.squeeze(1))


def probability_bounds(logits: Interval) -> tuple[Tensor, Tensor]:
    r"""Return bounds of the probabilities of all classes over a box.

    .. math:: p_k = \Big( \sum_j e^{z_j - z_k} \Big)^{-1}

    with the bounds of all margins. For a box of logits, of which nothing else is known, they are
    the tightest bounds.

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
    return _probabilities(logits, affine_terms(logits))


def input_gradient_bounds(
    box: Interval, logits: Interval, target: Tensor, scalar: BoundedScalar = "log_prob"
) -> Interval:
    r"""Return bounds of the input gradient of a log-probability over a box, ``(B, *S)``.

    At the input h of the affine layers that a model ends with, whose rows are :math:`w_k`, the
    gradients are means under the probabilities p,

    .. math:: \frac{\partial \log p_y}{\partial h} = \sum_k p_k (w_y - w_k), \qquad
              \frac{\partial \sum_k \log p_k}{\partial h} = K \sum_k p_k (\bar w - w_k)

    The smallest and the largest mean under probabilities that sum to 1 and lie between their bounds
    over the box are the starting point of the backward pass through the layers.

    Args:
        box: The box, ``(B, *S)``.
        logits: Bounds of the logits that a model computed from it, ``(B, C)``.
        target: Labels y, ``(B,)``.
        scalar: Scalar that is differentiated: the label's log-probability (the cross-entropy up to
            its sign), or the sum over all K classes.
    """
    terms = affine_terms(logits)
    least, most = _probabilities(logits, terms)
    rows = torch.arange(len(target), device=target.device)
    cotangents = []
    for interval, weights in terms:
        centred = _flat(weights - weights.mean(dim=0), 2)  # (C, B or 1, n)
        low, high = expectation_bounds(centred, least.T, most.T)
        if scalar == "log_prob":
            own = centred.expand(-1, len(target), -1)[target, rows]
            low, high = own - high, own - low
        else:
            low, high = -len(centred) * high, -len(centred) * low
        shape = interval.shape
        cotangents.append((interval, Interval(low.reshape(shape), high.reshape(shape))))
    return pull_back(cotangents, box)


def _probabilities(logits: Interval, terms: Sequence[Term]) -> tuple[Tensor, Tensor]:
    margins = _margins(logits, terms)
    return torch.exp(-margins.upper.logsumexp(dim=2)), torch.exp(-margins.lower.logsumexp(dim=2))


def _margins(logits: Interval, terms: Sequence[Term], target: Tensor | None = None) -> Interval:
    """Return bounds of :math:`z_k - z_j` for all classes k, ``(B, J, C)``.

    The classes j are the labels (J = 1) or, without labels, all classes (J = C).
    """

    def chosen(values: Tensor) -> Tensor:
        if target is None:
            return values
        return values[torch.arange(len(target), device=target.device), target].unsqueeze(1)

    centre = logits.centre
    difference = centre.unsqueeze(1) - chosen(centre).unsqueeze(2)
    radius = torch.zeros_like(difference)
    for interval, weights in terms:  # Σ_i |w_k - w_j|_i radius_i
        if weights.shape[1] == 1 and len(weights) <= len(centre):
            of_class = _flat(weights, 1)
            differences = (of_class.unsqueeze(1) - of_class).abs()  # (C, C, n)
            radius = radius + chosen(
                torch.einsum("jki,bi->bjk", differences, _flat(interval.radius, 1))
            )
        else:
            scaled = _flat(weights * interval.radius, 2).transpose(0, 1)
            radius = radius + torch.cdist(chosen(scaled), scaled, p=1)
    return Interval(difference - radius, difference + radius)


def _flat(values: Tensor, start: int) -> Tensor:
    """Flatten the dimensions from ``start``, or append one if there are no more."""
    return values.reshape(*values.shape[:start], -1)
