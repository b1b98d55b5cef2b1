"""Sums that stay exact: fixed-point integers as metric states.

A floating state loses counts if Lightning casts it to bfloat16, float64 does not exist on every
device, and sums of floats depend on how samples are distributed over processes. Integers have none
of these problems.
"""

import torch
from torch import Tensor

_UNIT = 2**28  # resolution 4e-9; a sum has room for 3e10 values of size 1


def to_fixed_point(values: Tensor) -> Tensor:
    """Return ``values`` (any shape) as int64 multiples of 2⁻²⁸, rounded.

    Example:
        >>> import torch
        >>> from_fixed_point(to_fixed_point(torch.tensor([0.25, -1.0])))
        tensor([ 0.2500, -1.0000], dtype=torch.float64)
    """
    return (values * _UNIT).round().long()


def from_fixed_point(sums: Tensor) -> Tensor:
    """Return int64 ``sums`` (any shape) as float64, or float32 on devices without float64.

    Example:
        >>> import torch
        >>> from_fixed_point(to_fixed_point(torch.full((3,), 0.5)).sum())
        tensor(1.5000, dtype=torch.float64)
    """
    dtype = torch.float32 if sums.device.type == "mps" else torch.float64
    return sums.to(dtype) / _UNIT


def to_limbs(values: Tensor) -> Tensor:
    """Return numbers of any size as three int64: units, 2⁻²⁸ and 2⁻⁵⁶ of a unit.

    Sums of them are exact down to 2⁻⁵⁶, for values from 1e-15 to 1e9, and do not depend on the
    order.

    Args:
        values: any shape, finite and below 2⁵³ in absolute value.

    Returns:
        ``(..., 3)`` long.

    Example:
        >>> import torch
        >>> from_limbs(to_limbs(torch.tensor([1e9, 2.0**-50, -1e9])).sum(0)).item() == 2.0**-50
        True
    """
    limbs = []
    rest = values if values.device.type == "mps" else values.double()
    for _ in range(3):
        whole = rest.floor()
        limbs.append(whole.long())
        rest = (rest - whole) * _UNIT
    return torch.stack(limbs, dim=-1)


def from_limbs(sums: Tensor) -> Tensor:
    """Return sums of :func:`to_limbs`, ``(..., 3)``, as float64, or float32 on devices without it.

    Example:
        >>> import torch
        >>> from_limbs(to_limbs(torch.tensor([0.25, -3.0])).sum(0))
        tensor(-2.7500, dtype=torch.float64)
    """
    dtype = torch.float32 if sums.device.type == "mps" else torch.float64
    units, middle, small = sums.to(dtype).unbind(-1)
    return units + (middle + small / _UNIT) / _UNIT
