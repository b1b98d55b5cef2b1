"""Attributions and a marked region of the input, in rows of the same length."""

from typing import NamedTuple

import torch
from torch import Tensor

from pear_lightning.functional.validation import (
    at_least_float32,
    check_attributions,
    check_tensor,
    is_traced,
)


class RegionRows(NamedTuple):
    """Attributions and the marked features, one row for each sample.

    Attributes:
        values: ``(B, n)``, float32 or better.
        marked: ``(B, n)`` bool.
    """

    values: Tensor
    marked: Tensor


def aligned_region(region: Tensor, inputs: Tensor) -> Tensor | None:
    """Return a region with the dimensions of the inputs, or None if its shape does not fit.

    Args:
        region: ``(B, *S)``, with size 1 in dimensions that share one value, so that ``(1, *S)``
            applies to all samples; ``(B, H, W)`` for images ``(B, C, H, W)``; or ``(B, L)`` for
            embeddings ``(B, L, D)`` of tokens, unless L equals D, which would be ambiguous.
        inputs: ``(B, *S)``.

    Returns:
        The region with B rows.

    Example:
        >>> aligned_region(torch.zeros(2, 8, 8), torch.rand(2, 3, 8, 8)).shape
        torch.Size([2, 1, 8, 8])
        >>> aligned_region(torch.zeros(2, 5), torch.rand(2, 5, 16)).shape
        torch.Size([2, 5, 1])
        >>> aligned_region(torch.zeros(1, 5), torch.rand(2, 5)).shape
        torch.Size([2, 5])
    """
    if inputs.ndim == 4 and region.ndim == 3:
        region = region[:, None]
    elif inputs.ndim == 3 and region.ndim == 2 and inputs.shape[1] != inputs.shape[2]:
        region = region[..., None]
    if region.ndim != inputs.ndim:
        return None
    if any(size not in (1, full) for size, full in zip(region.shape, inputs.shape, strict=True)):
        return None
    return region.expand(len(inputs), *region.shape[1:])


def shape_hint(name: str, region: Tensor, inputs: Tensor) -> str:
    """Return the end of an error message for a region that lacks only the last dimension.

    Args:
        name: name of the region in error messages.
        region: the region.
        inputs: ``(B, *S)``.

    Returns:
        What to do instead; empty if something else is wrong with the region.

    Example:
        >>> shape_hint("mask", torch.zeros(2, 5), torch.rand(2, 5, 5))
        '; if one value applies to the whole last dimension, give mask[..., None]'
    """
    if region.shape != inputs.shape[:-1]:
        return ""
    return f"; if one value applies to the whole last dimension, give {name}[..., None]"


def zeros_and_ones(marks: Tensor, name: str) -> Tensor:
    """Convert marks to bool, and raise unless they are zeros and ones.

    While tracing, values are not checked (see
    :func:`~pear_lightning.functional.validation.is_traced`).

    Args:
        marks: any shape, bool or zeros and ones.
        name: name of the marks in error messages.

    Raises:
        ValueError: if a value is neither 0 nor 1.

    Example:
        >>> zeros_and_ones(torch.tensor([0.0, 1.0]), "mask")
        tensor([False,  True])
    """
    if marks.dtype == torch.bool:
        return marks
    marked = marks.bool()
    if not is_traced(marks) and not torch.equal(marked.to(marks.dtype), marks):
        other = marks[marked.to(marks.dtype) != marks].flatten()[0].item()
        raise ValueError(
            f"{name} must hold zeros and ones only, got {other}; binarise it ({name} > 0.5)"
        )
    return marked


def region_rows(attributions: Tensor, region: Tensor, name: str = "region") -> RegionRows:
    """Check attributions and a region, and flatten both to rows of the same length.

    Attributions that share one value of the region (the channels of a pixel) are summed.

    Args:
        attributions: ``(B, *S)`` floating.
        region: bool, or zeros and ones, of a shape that :func:`aligned_region` takes.
        name: name of the region in error messages.

    Returns:
        Rows with one entry for each value of the region.

    Raises:
        TypeError: if an argument is not a tensor, or the attributions are not floating.
        ValueError: if the shapes do not fit, the region has values other than 0 and 1, or the
            attributions have NaN or infinite values.

    Example:
        >>> rows = region_rows(torch.ones(1, 3, 2, 2), torch.eye(2)[None])
        >>> rows.values, rows.marked
        (tensor([[3., 3., 3., 3.]]), tensor([[ True, False, False,  True]]))
    """
    check_attributions("attributions", attributions)
    check_tensor(name, region)
    aligned = aligned_region(region, attributions)
    if aligned is None:
        raise ValueError(
            f"{name} must have the shape of attributions, {tuple(attributions.shape)}, or size 1 "
            f"in dimensions that share one value, got {tuple(region.shape)}"
            f"{shape_hint(name, region, attributions)}"
        )
    region = zeros_and_ones(aligned, name)
    values = at_least_float32(attributions).sum_to_size(region.shape)
    return RegionRows(values.flatten(1), region.flatten(1))


def scaled_rows(values: Tensor) -> Tensor:
    """Divide rows by their largest absolute value, so that sums of tiny values do not vanish.

    Args:
        values: ``(B, n)`` floating; rows of zeros stay as they are.

    Example:
        >>> scaled_rows(torch.tensor([[1e-30, -2e-30], [0.0, 0.0]]))
        tensor([[ 0.5000, -1.0000],
                [ 0.0000,  0.0000]])
    """
    largest = values.abs().amax(dim=1, keepdim=True)
    return values / largest.masked_fill(largest == 0, 1)
