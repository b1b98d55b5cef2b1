"""What a measure says of each sample of a batch."""

from typing import NamedTuple

from torch import Tensor


class PerSample(NamedTuple):
    """Values of a measure, and where it has none.

    Attributes:
        values: ``(B,)`` or ``(B, P)``, float32 or better; 0 where the measure is undefined.
        undefined: ``(B,)`` bool: the sample gave the measure nothing to work with (a constant row,
            say), so that its 0 is a convention and not a result.

    Example:
        >>> import torch
        >>> result = PerSample(torch.tensor([0.5, 0.0]), torch.tensor([False, True]))
        >>> result.values[~result.undefined].mean()
        tensor(0.5000)
    """

    values: Tensor
    undefined: Tensor
