"""Positive scores as shares of their sum."""

import torch
from torch import Tensor


def shares(scores: Tensor, active: Tensor) -> Tensor:
    """Divide scores by their sum over the features that count; others become 0.

    Args:
        scores: Positive scores, ``(B, n)`` or ``(B, n, C)``.
        active: Features that count, ``(B, n)`` bool.

    Returns:
        Shares that sum to 1 over the features; 0 for a sample without any that counts.

    Example:
        >>> shares(torch.tensor([[1.0, 3.0, 6.0]]), torch.tensor([[True, True, False]]))
        tensor([[0.2500, 0.7500, 0.0000]])
    """
    active = active.view(*active.shape, *(1,) * (scores.ndim - 2))
    scores = scores.masked_fill(~active, 0)
    return scores / scores.sum(dim=1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)
