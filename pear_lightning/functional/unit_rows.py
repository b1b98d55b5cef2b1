"""Rows divided by their largest absolute value, with a gradient that stays finite."""

import math
from typing import Any

import torch
from torch import Tensor

from pear_lightning.functional.validation import is_traced


def unit_rows(rows: Tensor) -> Tensor:
    r"""Divide each row by its largest absolute value, a constant to autograd.

    Of a function that does not depend on the scale of a row, this changes neither the value nor the
    gradient, except that the gradient of a row does not grow without bound as the row vanishes:

    .. math:: u = \frac{a}{m}, \qquad \frac{\partial L}{\partial a} =
              \frac{1}{\max(m, \tau)} \, \frac{\partial L}{\partial u}, \qquad m = \max_i |a_i|

    A row of zeros stays zero, and its gradient is 0. τ is the square root of the smallest normal
    number (1e-19 in float32, 1e-154 in float64): below it, one over the row's size times another
    number of that order is not representable.

    Args:
        rows: ``(..., n)`` floating point, finite.

    Returns:
        ``(..., n)`` in [-1, 1].

    Example:
        >>> rows = torch.tensor([[1.0, -4.0], [1e-30, 3e-30]], requires_grad=True)
        >>> unit_rows(rows)
        tensor([[ 0.2500, -1.0000],
                [ 0.3333,  1.0000]], grad_fn=<_UnitRowsBackward>)
        >>> bool((torch.autograd.grad(unit_rows(rows).sum(), rows)[0] < 1e20).all())
        True
    """
    if is_traced(rows):
        largest = _largest(rows)
        bounded = rows / largest.clamp(min=_floor(rows.dtype))
        return bounded + (rows / largest - bounded).detach()
    unit: Tensor = _UnitRows.apply(rows)  # type: ignore[no-untyped-call]
    return unit


def saturated_rows(rows: Tensor) -> Tensor:
    """Return which rows are so small that :func:`unit_rows` bounds their gradient.

    Args:
        rows: ``(..., n)`` floating point.

    Returns:
        ``(...)`` bool; rows of zeros included.

    Example:
        >>> saturated_rows(torch.tensor([[1.0, 2.0], [1e-30, 0.0], [0.0, 0.0]]))
        tensor([False,  True,  True])
    """
    return rows.detach().abs().amax(dim=-1) < _floor(rows.dtype)


def _largest(rows: Tensor) -> Tensor:
    """Return the largest absolute value of each row ``(..., 1)``; infinity for a row of zeros."""
    largest = rows.detach().abs().amax(dim=-1, keepdim=True)
    return largest.masked_fill(largest == 0, math.inf)


def _floor(dtype: torch.dtype) -> float:
    return math.sqrt(torch.finfo(dtype).tiny)


class _UnitRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        # with a separate setup_context, torch reads this signature anew in every call, which takes
        # longer than everything else here; only transforms need it, and they do not get here
        largest = _largest(rows)
        ctx.save_for_backward(largest)
        return rows / largest

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (largest,) = ctx.saved_tensors
        gradient: Tensor = gradients[0] / largest.clamp(min=_floor(largest.dtype))
        return gradient
