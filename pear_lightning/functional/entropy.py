"""The entropy of a distribution."""

import torch
from torch import Tensor


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy over the last dimension, in nats.

    Args:
        probabilities: ``(..., C)``.

    Example:
        >>> entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
        tensor([0.6931, 0.0000])
    """
    result: Tensor = torch.special.entr(probabilities).sum(dim=-1)
    return result
