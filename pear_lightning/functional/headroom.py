"""A factor that leaves room for sums and differences of large numbers."""

import math

import torch
from torch import Tensor

from pear_lightning.functional.validation import is_traced

_EXPONENT = -32


@torch.no_grad()
def headroom(x: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """Return factors after which differences and sums of up to 2³⁰ entries are finite.

    A factor is a power of two, so multiplying by it is exact: 2⁻³² for rows with an entry within
    2³² of the largest number of the dtype, and 1 for all others.

    Args:
        x: floating.
        dim: dimensions of a row.

    Returns:
        Factors with size 1 in these dimensions.

    Example:
        >>> x = torch.tensor([[3e38, -3e38], [1.0, 2.0]])
        >>> (headroom(x) * x).diff()
        tensor([[-1.3970e+29],
                [ 1.0000e+00]])
    """
    large = x.abs().amax(dim=dim, keepdim=True) > _limit(x.dtype)
    return torch.where(large, 2.0**_EXPONENT, 1.0).to(x.dtype)


def with_headroom(x: Tensor) -> Tensor:
    """Multiply rows by their :func:`headroom`; the factor is a constant to autograd.

    On a CPU, rows without large entries, which is nearly all, cost one look.

    Args:
        x: ``(..., n)`` floating.

    Returns:
        ``(..., n)``; ``x`` itself if no row needs a factor.

    Example:
        >>> with_headroom(torch.tensor([[3e38, -3e38], [1.0, 2.0]]))
        tensor([[ 6.9849e+28, -6.9849e+28],
                [ 1.0000e+00,  2.0000e+00]])
    """
    if x.is_cpu and not is_traced(x) and x.numel():
        largest = torch.linalg.vector_norm(x.detach(), math.inf).item()
        if largest <= _limit(x.dtype):  # not so if it is NaN
            return x
    return x * headroom(x)


def _limit(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).max * 2.0**_EXPONENT
