"""A gradient that stays finite where what is normalised vanishes."""

import math
from typing import Any

import torch
from torch import Tensor

from pear_lightning.functional.validation import is_traced


def bounded_gradient(rows: Tensor) -> Tensor:
    r"""Return rows unchanged, with a gradient that does not grow without bound as they vanish.

    A function that does not depend on the scale of a row has a gradient proportional to
    :math:`1 / \max_i |a_i|`. Rows below a floor τ get the gradient of a row of size τ:

    .. math:: g \leftarrow g \, \min\left( 1, \frac{\max_i |a_i|}{\tau} \right)

    All other rows keep theirs exactly, whatever their scale. τ is the square root of the smallest
    normal number (1e-19 in float32, 1e-154 in float64): below it, one over the row's size times
    another number of that order is not representable.

    Args:
        rows: ``(..., n)`` floating point.

    Returns:
        ``(..., n)``.

    Example:
        >>> tiny = torch.tensor([[1e-30, 3e-30]], requires_grad=True)
        >>> out = bounded_gradient(tiny)
        >>> bool((torch.autograd.grad((1e30 * out).sum(), tiny)[0] < 1e20).all())
        True
    """
    floor = _floor(rows.dtype)
    factor = (rows.detach().abs().amax(dim=-1, keepdim=True) / floor).clamp(max=1)
    if is_traced(rows):
        return rows * factor + (rows - rows * factor).detach()
    bounded: Tensor = _ScaledGradient.apply(rows, factor)  # type: ignore[no-untyped-call]
    return bounded


def saturated_rows(rows: Tensor) -> Tensor:
    """Return which rows are so small that :func:`bounded_gradient` bounds their gradient.

    Args:
        rows: ``(..., n)`` floating point.

    Returns:
        ``(...)`` bool; rows of zeros included.

    Example:
        >>> saturated_rows(torch.tensor([[1.0, 2.0], [1e-30, 0.0], [0.0, 0.0]]))
        tensor([False,  True,  True])
    """
    return rows.detach().abs().amax(dim=-1) < _floor(rows.dtype)


def _floor(dtype: torch.dtype) -> float:
    return math.sqrt(torch.finfo(dtype).tiny)


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, factor: Tensor) -> Tensor:
        # with a separate setup_context, torch reads this signature anew in every call, which takes
        # longer than everything else here; only transforms need it, and they do not get here
        ctx.save_for_backward(factor)
        return rows.view_as(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (factor,) = ctx.saved_tensors
        return gradients[0] * factor, None
