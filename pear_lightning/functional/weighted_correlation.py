"""Correlation of rows whose entries have weights, with or without centring."""

import torch
from torch import Tensor

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import at_least_float32, check_finite, check_floating

_ROUNDING = 32  # machine epsilons, as in masked_correlation


def weighted_correlation(
    a: Tensor, b: Tensor, weights: Tensor | None = None, *, centered: bool = True
) -> PerSample:
    r"""Pearson correlation of weighted rows, or their cosine.

    .. math::
        τ = \frac{\sum_k w_k a'_k b'_k}
                 {\sqrt{\sum_k w_k a_k'^2} \sqrt{\sum_k w_k b_k'^2}}, \qquad
        a' = a - \sum_k w_k a_k \text{ if centred, } a' = a \text{ otherwise}

    Rows are divided by their own scale first, so rows of any scale are accurate. A row without
    variance (without centring: a row of zeros) has correlation 0 and a gradient of zero; so has a
    row whose values differ by rounding only, 32 times the machine epsilon of the largest.

    Args:
        a: ``(..., K)`` floating.
        b: ``(..., K)`` floating.
        weights: Weights, at least 0, broadcastable to ``(..., K)``; entries of weight 0 do not
            count. ``None`` means equal weights.
        centered: Whether to subtract the weighted means.

    Returns:
        ``values (...)`` in [-1, 1] up to rounding, differentiable; and ``undefined (...)`` bool.
        Float32 or better.

    Raises:
        TypeError: If ``a`` or ``b`` is not floating.
        ValueError: If an entry of ``a`` or ``b`` that counts is NaN or infinite.

    Example:
        >>> a, b = torch.tensor([1.0, 2.0, 9.0]), torch.tensor([3.0, 4.0, 0.0])
        >>> weights = torch.tensor([1.0, 1.0, 0.0])
        >>> weighted_correlation(a, b, weights).values
        tensor(1.0000)
        >>> round(weighted_correlation(a, b, weights, centered=False).values.item(), 4)
        0.9839
    """
    check_floating("a", a)
    check_floating("b", b)
    a, b = at_least_float32(a), at_least_float32(b)
    dtype = torch.promote_types(a.dtype, b.dtype)
    weights = torch.ones_like(b) if weights is None else weights
    a, b, weights = torch.broadcast_tensors(a.to(dtype), b.to(dtype), weights)
    # in float64, a weight can be too small for float32
    weights = (weights / weights.sum(dim=-1, keepdim=True)).to(dtype)
    counts = weights > 0
    rows = {"a": a.where(counts, 0), "b": b.where(counts, 0)}
    for name, each in rows.items():
        check_finite(name, each)  # or it would count as a row without variance
    left, constant_left = _unit(rows["a"], weights, centered)
    right, constant_right = _unit(rows["b"], weights, centered)
    return PerSample((left * right).sum(dim=-1), constant_left | constant_right)


def _unit(x: Tensor, weights: Tensor, centered: bool) -> tuple[Tensor, Tensor]:
    """Return rows times the roots of the weights, of unit norm, and whether they are constant.

    Entries of weight 0 are 0.
    """
    counts = weights > 0
    largest = x.detach().abs().amax(dim=-1, keepdim=True)
    if centered:
        # the result does not depend on the shift, so autograd treats it as a constant; values that
        # vary little around a large one stay accurate
        first = counts.long().argmax(dim=-1, keepdim=True)
        x = (x - x.detach().gather(-1, first)).where(counts, 0)
    scale = x.detach().abs().amax(dim=-1, keepdim=True)
    tolerance = _ROUNDING * torch.finfo(x.dtype).eps if centered else 0.0
    constant = ~(scale > tolerance * largest)
    # masked both before and after the root: masking only the result would leave NaN gradients
    scaled = x / scale.masked_fill(constant, 1)
    if centered:
        scaled = scaled - (weights * scaled).sum(dim=-1, keepdim=True)
    rows = (weights.sqrt() * scaled).masked_fill(constant, 0)
    square = rows.square().sum(dim=-1, keepdim=True).masked_fill(constant, 1)
    return rows * square.rsqrt(), constant[..., 0]
