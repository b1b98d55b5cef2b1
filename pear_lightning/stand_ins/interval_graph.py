"""Walks from the output of a network back through the intervals that it was computed from."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pear_lightning.stand_ins.intervals import Interval


def pull_back(cotangents: Sequence[tuple[Interval, Interval]], inputs: Interval) -> Interval:
    """Return bounds of the gradient of a scalar at the inputs of a network.

    Args:
        cotangents: Intervals that the network computed from the inputs and of which the scalar is a
            function, each with the bounds of the gradient of the scalar with respect to it.
        inputs: The interval passed to the network.

    Returns:
        Bounds of the gradient with respect to the inputs that hold for all inputs in the interval.

    Example:
        >>> layer = torch.nn.Linear(2, 1)
        >>> inputs = Interval(torch.zeros(1, 2), torch.ones(1, 2))
        >>> one = torch.ones(1, 1)
        >>> gradient = pull_back([(layer(inputs), Interval(one, one))], inputs)
        >>> torch.equal(gradient.lower, layer.weight)
        True
    """
    gradients: dict[int, Interval] = {}

    def add(node: Interval, part: Interval) -> None:
        known = gradients.get(id(node))
        gradients[id(node)] = part if known is None else _sum(known, part)

    for node, cotangent in cotangents:
        add(node, cotangent)
    for node in _outputs_first([node for node, _ in cotangents]):
        if node is inputs or node.pullback is None:
            continue
        parts = node.pullback(gradients.pop(id(node)))
        for parent, part in zip(node.parents, parts, strict=True):
            add(parent, part)
    if id(inputs) not in gradients:
        zeros = torch.zeros_like(inputs.lower)
        return Interval(zeros, zeros)
    return gradients[id(inputs)]


class Term(NamedTuple):
    """A term of an affine function with several outputs: the coefficients of an interval.

    Attributes:
        interval: The interval, ``(B, *S)``.
        coefficients: Coefficients of its elements in each of K outputs, ``(K, B, *S)``, or
            ``(K, 1, *S)`` if they are the same for all rows.
    """

    interval: Interval
    coefficients: Tensor


def affine_terms(output: Interval) -> list[Term]:
    r"""Return the affine function that the last layers of a network compute.

    .. math:: z_{bk} = c_{bk} + \sum_t \sum_i w_{tkbi} h_{tbi}

    The terms t are the inputs of the affine layers that the network ends with (linear and
    convolutional layers, average pooling, batch norm, sums, reshaping), in all branches, or the
    output itself if its last function is not affine. Any linear combination of the outputs is a
    function of the same terms, so its bounds are found without the intervals between them, in which
    everything that cancels in the combination is still contained.

    Args:
        output: Output of the network, ``(B, K)``.

    Returns:
        One term per interval h. Row b of an interval belongs to row b of the output.

    Example:
        >>> layer = torch.nn.Linear(2, 3)
        >>> hidden = Interval(torch.zeros(1, 2), torch.ones(1, 2)).relu()
        >>> ((interval, coefficients),) = affine_terms(layer(hidden))
        >>> interval is hidden, torch.equal(coefficients[:, 0], layer.weight)
        (True, True)
    """
    units = torch.eye(output.shape[1], dtype=output.dtype, device=output.device)
    coefficients = {id(output): units.unsqueeze(1)}
    terms = []
    for node in _outputs_first([output]):
        if id(node) not in coefficients:  # an interval from which one of the terms was computed
            continue
        own = coefficients.pop(id(node))
        if node.transposed is None:
            terms.append(Term(node, own))
            continue
        parts = torch.func.vmap(node.transposed)(own)
        for parent, part in zip(node.parents, parts, strict=True):
            known = coefficients.get(id(parent))
            coefficients[id(parent)] = part if known is None else known + part
    return terms


def _outputs_first(outputs: Sequence[Interval]) -> list[Interval]:
    """Return outputs and all that they were computed from, each before what it was computed from.

    Args:
        outputs: The outputs.
    """
    order: list[Interval] = []
    seen: set[int] = set()
    stack = [(node, False) for node in outputs]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    return order[::-1]


def _sum(a: Interval, b: Interval) -> Interval:
    return Interval(a.lower + b.lower, a.upper + b.upper)
