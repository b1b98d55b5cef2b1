"""The values of a measure for the samples of a batch."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor


class PerSample(NamedTuple):
    """Values of a measure, and where they are undefined.

    Attributes:
        values: ``(B,)`` or ``(B, P)``, float32 or better; 0 where the measure is undefined.
        undefined: ``(B,)`` bool, whether the measure is undefined for the sample (a constant row,
            for example), so that its 0 is a convention and not a result.

    Example:
        >>> import torch
        >>> result = PerSample(torch.tensor([0.5, 0.0]), torch.tensor([False, True]))
        >>> result.values[~result.undefined].mean()
        tensor(0.5000)
    """

    values: Tensor
    undefined: Tensor


def join(parts: Iterable[PerSample]) -> PerSample:
    """Concatenate the samples of several batches.

    Args:
        parts: at least one batch.

    Example:
        >>> import torch
        >>> part = PerSample(torch.tensor([0.5]), torch.tensor([False]))
        >>> join([part, part]).values
        tensor([0.5000, 0.5000])
    """
    values, undefined = zip(*parts, strict=True)
    return PerSample(torch.cat(values), torch.cat(undefined))
