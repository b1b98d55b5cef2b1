"""Differentiable correlations of rows that are safe for tiny and for constant rows."""

from typing import Any

import torch
from torch import Tensor

from pear_lightning.functional.headroom import headroom
from pear_lightning.functional.ranks import average_ranks
from pear_lightning.functional.validation import (
    at_least_float32,
    check_finite,
    check_rows,
    check_same_shape,
    is_traced,
)


def constant_rows(x: Tensor) -> Tensor:
    """Whether all entries of a row ``(..., n)`` are equal; bool ``(...)``.

    Such a row has no variance, and its correlation with anything is 0 in this library.

    Example:
        >>> import torch
        >>> constant_rows(torch.tensor([[1.0, 1.0], [1.0, 2.0]]))
        tensor([ True, False])
    """
    check_rows("x", x)
    return (x == x[..., :1]).all(dim=-1)


def standardize(x: Tensor, *, validate: bool = True) -> Tensor:
    r"""Centre each row and scale it to unit norm; products of such rows are correlations.

    .. math::
        u = \frac{x − \bar x}{‖x − \bar x‖}, \qquad ρ(a, b) = \sum_i u_i(a) \, u_i(b)

    Each row is divided by its own scale first, so the result is accurate for rows of any scale
    (1e-30, for example) without an epsilon. A constant row gives zeros and a gradient of zero.

    Args:
        x: ``(..., n)`` floating, n >= 1.
        validate: whether to check for NaN and infinite values.

    Returns:
        ``(..., n)``, float64 for float64 input and float32 otherwise.

    Raises:
        TypeError: if ``x`` is not floating.
        ValueError: for NaN or infinite values or an empty last dimension.

    Example:
        >>> import torch
        >>> standardize(torch.tensor([[1e-30, 3e-30], [5.0, 5.0]]))
        tensor([[-0.7071,  0.7071],
                [ 0.0000,  0.0000]])
    """
    check_rows("x", x)
    if validate:
        check_finite("x", x)
    x = at_least_float32(x)
    if is_traced(x):
        return _standardize(x)[0]
    standardized: Tensor = _Standardization.apply(x)  # type: ignore[no-untyped-call]
    return standardized


def _standardize(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return standardized rows, and how they were scaled.

    Returns:
        The rows; one over the norm of the scaled rows (0 if constant); and two numbers whose
        quotient scaled the rows, a factor and a divisor.
    """
    # the result depends on neither shift nor scale, so autograd treats both as constants;
    # subtracting an entry is exact for rows that vary little around a large value
    factor = headroom(x)
    x = x * factor
    shifted = x - x[..., :1].detach()
    scale = shifted.detach().abs().amax(dim=-1, keepdim=True)
    constant = scale == 0
    scale = scale.masked_fill(constant, 1)
    scaled = shifted / scale
    # masked both before and after the root: masking only the result would leave NaN gradients
    centred = (scaled - scaled.mean(dim=-1, keepdim=True)).masked_fill(constant, 0)
    square = centred.square().sum(dim=-1, keepdim=True).masked_fill(constant, 1)
    inverse = square.rsqrt()
    return centred * inverse, inverse.masked_fill(constant, 0), factor, scale


class _Standardization(torch.autograd.Function):
    """:func:`_standardize` with its derivative in one formula instead of a graph of small steps.

    With r the inverse norm, f the factor and s the divisor of the scale,
    ``dx = (g - mean(g) - u <u, g>) r f / s``.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        standardized, inverse, factor, scale = _standardize(x)
        ctx.save_for_backward(x, standardized, inverse, factor, scale)
        return standardized

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        x, u, inverse, factor, scale = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative: r and u depend on x
            u, inverse, factor, scale = _standardize(x)
        along = (grad * u).sum(dim=-1, keepdim=True)
        across: Tensor = grad - grad.mean(dim=-1, keepdim=True) - u * along
        gradient: Tensor = across * (inverse * factor) / scale
        return gradient


def pearson(a: Tensor, b: Tensor, *, validate: bool = True) -> Tensor:
    """Pearson correlation of each row of ``a`` with the same row of ``b``, differentiable.

    A constant row has correlation 0 with anything, and a gradient of zero.

    Args:
        a: ``(..., n)`` floating, n >= 1.
        b: the same shape.
        validate: whether to check for NaN and infinite values.

    Returns:
        ``(...)`` in [-1, 1] up to rounding, float64 if both are float64 and float32 otherwise.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, an empty last dimension.

    Example:
        >>> import torch
        >>> a = torch.tensor([[0.1, -0.2, 0.9, 0.3], [0.0, 0.0, 0.0, 0.0]])
        >>> b = torch.tensor([[0.2, 0.1, 0.75, -0.4], [1.0, 2.0, 3.0, 4.0]])
        >>> pearson(a, b)
        tensor([0.5726, 0.0000])
    """
    check_row_pair(a, b, validate)
    return (standardize(a, validate=False) * standardize(b, validate=False)).sum(dim=-1)


def spearman(a: Tensor, b: Tensor, *, validate: bool = True) -> Tensor:
    """Spearman correlation of each row: Pearson of hard average ranks; no gradient.

    Values are ranked with their signs; pass absolute values to compare the importance of signed
    attributions. A constant row has correlation 0.

    Args:
        a: ``(..., n)`` floating, n >= 1.
        b: the same shape.
        validate: whether to check for NaN and infinite values.

    Returns:
        ``(...)`` in [-1, 1] up to rounding, float64 if both are float64 and float32 otherwise.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, an empty last dimension.

    Example:
        >>> import torch
        >>> a = torch.tensor([0.1, 0.2, 0.9, 0.3])
        >>> b = torch.tensor([0.2, 0.1, 0.75, 0.4])
        >>> spearman(a, b)
        tensor(0.8000)
    """
    check_row_pair(a, b, validate)
    return pearson(average_ranks(a), average_ranks(b), validate=False)


def check_row_pair(a: Tensor, b: Tensor, validate: bool) -> None:
    """Raise unless ``a`` and ``b`` are floating rows ``(..., n)`` of one shape, and finite.

    ``validate=False`` skips the check for NaN and infinite values.

    Example:
        >>> import torch
        >>> check_row_pair(torch.zeros(2, 3), torch.ones(2, 3), validate=True)
    """
    check_rows("a", a)
    check_rows("b", b)
    check_same_shape("a", a, "b", b)
    if validate:
        check_finite("a", a)
        check_finite("b", b)
