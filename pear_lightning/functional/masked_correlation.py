"""Correlations of rows with absent entries, which also return where they are undefined.

A row is constant if its present values differ by no more than rounding: 32 times the machine
epsilon of their largest absolute value (4e-6 of it in float32). Sums over subsets of equal values,
and drops of a model that treats all features alike, differ by that much; correlating these
differences would give a random number.
"""

import torch
from torch import Tensor

from pear_lightning.functional.correlation import standardize
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.present_features import filled_with_mean
from pear_lightning.functional.ranks import average_ranks
from pear_lightning.functional.validation import (
    at_least_float32,
    check_finite,
    check_rows,
    check_same_shape,
)

_ROUNDING = 32  # machine epsilons; a float32 sum of 10,000 equal values is off by about 10


def masked_pearson(
    a: Tensor,
    b: Tensor,
    present: Tensor | None = None,
    *,
    names: tuple[str, str] = ("a", "b"),
) -> PerSample:
    """Pearson correlation of each row of ``a`` with the same row of ``b``, absent entries left out.

    Args:
        a: ``(B, n)`` floating; absent entries may hold anything.
        b: the same shape.
        present: ``(B, n)`` bool, the entries that count; None for all.
        names: names of the two tensors in error messages.

    Returns:
        Correlations ``(B,)`` in [-1, 1] up to rounding; 0 and undefined where a row is constant or
        has fewer than two entries. Float32 or better, differentiable.

    Raises:
        TypeError: if ``a`` or ``b`` is not floating, or ``present`` not bool.
        ValueError: for different shapes, or NaN or infinite values.

    Example:
        >>> a = torch.tensor([[1.0, 2.0, 3.0, 9.0], [5.0, 5.0, 5.0, 9.0]])
        >>> b = torch.tensor([[2.0, 4.0, 3.0, 0.0], [1.0, 2.0, 3.0, 0.0]])
        >>> masked_pearson(a, b, torch.tensor([[True, True, True, False]] * 2))
        PerSample(values=tensor([0.5000, 0.0000]), undefined=tensor([False,  True]))
    """
    both = _checked(a, b, present, names)
    undefined = _constant(both, present).any(dim=0)
    return PerSample(_correlation(both, present).masked_fill(undefined, 0), undefined)


@torch.no_grad()
def masked_spearman(
    a: Tensor,
    b: Tensor,
    present: Tensor | None = None,
    *,
    names: tuple[str, str] = ("a", "b"),
) -> PerSample:
    """Spearman correlation of each row, ties with average ranks, absent entries left out.

    Args:
        a: ``(B, n)`` floating; absent entries may hold anything.
        b: the same shape.
        present: ``(B, n)`` bool, the entries that count; None for all.
        names: names of the two tensors in error messages.

    Returns:
        Correlations ``(B,)`` in [-1, 1] up to rounding; 0 and undefined where a row is constant or
        has fewer than two entries. Float32 or better, no gradient.

    Raises:
        TypeError: if ``a`` or ``b`` is not floating, or ``present`` not bool.
        ValueError: for different shapes, or NaN or infinite values.

    Example:
        >>> a = torch.tensor([[1.0, 2.0, 3.0, 9.0]])
        >>> b = torch.tensor([[2.0, 40.0, 4.0, 0.0]])
        >>> masked_spearman(a, b, torch.tensor([[True, True, True, False]])).values
        tensor([0.5000])
    """
    both = _checked(a, b, present, names)
    undefined = _constant(both, present).any(dim=0)
    if present is not None:  # last ranks, so that the others are ranked among themselves
        both = both.masked_fill(~present, torch.inf)
    correlation = _correlation(average_ranks(both), present)
    return PerSample(correlation.masked_fill(undefined, 0), undefined)


def present_or_all(x: Tensor, present: Tensor | None, *, name: str = "x") -> Tensor:
    """Return ``present``, or a mask of ones if it is None; ``(B, n)`` bool like ``x``.

    Args:
        x: ``(B, n)``.
        present: ``(B, n)`` bool, or None.
        name: name of ``x`` in error messages.

    Raises:
        TypeError: if ``present`` is not bool.
        ValueError: if it has another shape.

    Example:
        >>> present_or_all(torch.zeros(1, 2), None)
        tensor([[True, True]])
    """
    if present is None:
        return torch.ones_like(x, dtype=torch.bool)
    if present.dtype != torch.bool:
        raise TypeError(f"present must be bool, true where an entry counts, got {present.dtype}")
    check_same_shape("present", present, name, x)
    return present


def _checked(a: Tensor, b: Tensor, present: Tensor | None, names: tuple[str, str]) -> Tensor:
    """Return both in one floating dtype with absent entries set to 0, ``(2, B, n)``."""
    for name, row in zip(names, (a, b), strict=True):
        check_rows(name, row)
    check_same_shape(names[0], a, names[1], b)
    if present is not None:
        absent = ~present_or_all(a, present, name=names[0])
        a, b = a.masked_fill(absent, 0), b.masked_fill(absent, 0)
    for name, row in zip(names, (a, b), strict=True):
        check_finite(name, row)
    a, b = at_least_float32(a), at_least_float32(b)
    dtype = torch.promote_types(a.dtype, b.dtype)
    return torch.stack([a.to(dtype), b.to(dtype)])


def _correlation(both: Tensor, present: Tensor | None) -> Tensor:
    """Return the Pearson correlations of the present entries of two tensors, ``(B,)``."""
    if present is not None:
        both = filled_with_mean(both, present)
    a, b = standardize(both, validate=False)
    correlation: Tensor = (a * b).sum(dim=-1)
    return correlation


def _constant(x: Tensor, present: Tensor | None) -> Tensor:
    """Return whether the present values of a row are equal up to rounding, ``(..., B)`` bool."""
    x = x.detach()
    low = high = x
    if present is not None:
        low, high = x.masked_fill(~present, torch.inf), x.masked_fill(~present, -torch.inf)
    low, high = low.amin(dim=-1), high.amax(dim=-1)
    size = torch.maximum(low.abs(), high.abs())
    # "not above" instead of "at most": in a row without entries both sides are infinite or NaN
    return ~((high - low) > _ROUNDING * torch.finfo(x.dtype).eps * size)
