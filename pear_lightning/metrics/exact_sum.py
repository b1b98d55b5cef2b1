"""Sums of floats of any size as integer states, and their exact means."""

import torch
from torch import Tensor

from pear_lightning.functional.validation import check_finite

_BITS = 28  # of a limb; int64 has room for the limbs of 1e10 values
_LOWEST = 1126  # the first limb counts 2⁻¹¹²⁶: the last digit of the smallest float64, normalised
N_LIMBS = 77  # up to 2¹⁰²⁴, the largest float64


def exact_sums(name: str, values: Tensor) -> Tensor:
    """Return sums over the last dimension as integers, exact for any finite floats.

    A sum is a number in base 2²⁸ that covers the range of float64. Sums of these integers are exact
    and do not depend on order, batches or processes; carries are left in the limbs.

    Args:
        name: name of the values in the error message.
        values: ``(..., B)`` floating.

    Returns:
        ``(..., N_LIMBS)`` long, the lowest limb first.

    Raises:
        ValueError: for NaN or infinite values.

    Example:
        >>> import torch
        >>> sums = exact_sums("scores", torch.tensor([1e300, 3.0, -1e300], dtype=torch.float64))
        >>> exact_means(sums, torch.tensor(3))
        tensor(1., dtype=torch.float64)
    """
    check_finite(name, values)
    values = values.detach()
    mantissa, exponent = torch.frexp(values if values.device.type == "mps" else values.double())
    digits = (mantissa * 2.0**53).long()  # an integer: float64 has 53 digits
    place = exponent.long() + (_LOWEST - 53)
    first, shift = place // _BITS, place % _BITS
    # two's complement: the low part is never negative, the high part has the sign
    mask = (1 << _BITS) - 1
    low, high = (digits & mask) << shift, (digits >> _BITS) << shift
    parts = torch.stack([low & mask, (low >> _BITS) + (high & mask), high >> _BITS])
    rows = values.shape[:-1].numel()
    row = torch.arange(rows, device=values.device).view(*values.shape[:-1], 1) * N_LIMBS
    index = torch.stack([row + first + i for i in range(3)])
    sums = parts.new_zeros(rows * N_LIMBS).index_add_(0, index.flatten(), parts.flatten())
    return sums.view(*values.shape[:-1], N_LIMBS)


def exact_means(sums: Tensor, count: Tensor) -> Tensor:
    """Return sums of :func:`exact_sums` divided by a count, rounded once.

    Args:
        sums: ``(..., N_LIMBS)`` long.
        count: number of values, a scalar; the mean of 0 values is NaN.

    Returns:
        ``(...)`` float64, or float32 on devices without it.

    Example:
        >>> import torch
        >>> exact_means(exact_sums("scores", torch.tensor([0.25, -3.0])), torch.tensor(2))
        tensor(-1.3750, dtype=torch.float64)
    """
    dtype = torch.float32 if sums.device.type == "mps" else torch.float64
    shape, n = sums.shape[:-1], int(count)
    if not n:
        return torch.full(shape, torch.nan, dtype=dtype, device=sums.device)
    divisor = n << _LOWEST
    means = [
        sum(limb << (_BITS * i) for i, limb in enumerate(limbs)) / divisor
        for limbs in sums.reshape(-1, N_LIMBS).tolist()
    ]
    return torch.tensor(means, dtype=dtype, device=sums.device).view(shape)


def as_float32(means: Tensor) -> Tensor:
    """Return means as float32, or unchanged if one exceeds the range of float32.

    Args:
        means: any shape, floating.

    Example:
        >>> import torch
        >>> as_float32(torch.tensor(0.5, dtype=torch.float64))
        tensor(0.5000)
    """
    result = means.float()
    return means if bool((result.isinf() & means.isfinite()).any()) else result
