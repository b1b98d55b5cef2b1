"""Sums of numbers of about 1 that stay exact: fixed-point integers as metric states.

A floating state loses counts if Lightning casts it to bfloat16, float64 does not exist on every
device, and sums of floats depend on how samples are distributed over processes. Integers have none
of these problems. Values that may be of any size are summed by
:mod:`~pear_lightning.metrics.exact_sum`.
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
