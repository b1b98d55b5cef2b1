"""Differentiable correlations of rows that are safe for tiny and for constant rows."""

from typing import Any

import torch
from torch import Tensor

from pear_lightning.functional.headroom import with_headroom
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


def standardize(x: Tensor, *, validate: bool = True, any_scale: bool = True) -> Tensor:
    r"""Centre each row and scale it to unit norm; products of such rows are correlations.

    .. math::
        u = \frac{x − \bar x}{‖x − \bar x‖}, \qquad ρ(a, b) = \sum_i u_i(a) \, u_i(b)

    Each row is divided by its own scale first, so the result is accurate for rows of any scale
    (1e-30, for example) without an epsilon. A constant row gives zeros and a gradient of zero.

    Args:
        x: ``(..., n)`` floating, n >= 1.
        validate: whether to check for NaN and infinite values.
        any_scale: whether rows may have any scale. False skips the division for rows whose largest
            absolute value is near 1, such as those of
            :func:`~pear_lightning.functional.unit_rows.unit_rows`, and for ranks.

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
    if any_scale:
        x = with_headroom(x)
    if is_traced(x):
        return _standardize(x, any_scale)[0]
    standardized: Tensor = _Standardization.apply(x, any_scale)  # type: ignore[no-untyped-call]
    return standardized


def _standardize(x: Tensor, any_scale: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return standardized rows, one over the norm of the scaled rows (0 if constant), the scale."""
    # the result depends on neither shift nor scale, so autograd treats both as constants;
    # subtracting an entry is exact for rows that vary little around a large value
    shifted = x - x[..., :1].detach()
    scale = None
    if any_scale:
        scale = shifted.detach().abs().amax(dim=-1, keepdim=True)
        scale = scale.masked_fill(scale == 0, 1)
        shifted = shifted / scale
    centred = shifted - shifted.mean(dim=-1, keepdim=True)
    square = centred.square().sum(dim=-1, keepdim=True)
    constant = square == 0
    # masked both before and after the root: masking only the result would leave NaN gradients
    inverse = square.masked_fill(constant, 1).rsqrt().masked_fill(constant, 0)
    return centred * inverse, inverse, scale


class _Standardization(torch.autograd.Function):
    """:func:`_standardize` with its derivative in one formula instead of a graph of small steps.

    With r the inverse norm and s the scale, ``dx = (g - mean(g) - u <u, g>) r / s``.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, any_scale: bool) -> Tensor:
        standardized, inverse, scale = _standardize(x, any_scale)
        ctx.any_scale = any_scale
        ctx.save_for_backward(x, standardized, inverse, scale)
        return standardized

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grad,) = gradients
        x, u, inverse, scale = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative: r and u depend on x
            u, inverse, scale = _standardize(x, ctx.any_scale)
        along = (grad * u).sum(dim=-1, keepdim=True)
        across: Tensor = grad - grad.mean(dim=-1, keepdim=True) - u * along
        gradient: Tensor = across * inverse
        return gradient if scale is None else gradient / scale, None


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
