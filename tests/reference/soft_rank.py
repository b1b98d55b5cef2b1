"""Soft rank by the min-max formula of isotonic regression, differentiable by autograd."""

import torch
from torch import Tensor


def soft_rank(x: Tensor, strength: float) -> Tensor:
    """R = s − v in sorted order, v_i = min over j <= i of max over k >= i of mean(y_j..y_k)."""
    if x.ndim > 1:
        return torch.stack([soft_rank(row, strength) for row in x]) if len(x) else x
    n = len(x)
    order = torch.argsort(x, descending=True)
    s = (x / strength)[order]
    y = s - torch.arange(n, 0, -1).to(x)
    fitted = []
    for i in range(n):
        over_starts = []
        for j in range(i + 1):
            means = [y[j : k + 1].mean() for k in range(i, n)]
            over_starts.append(torch.stack(means).max())
        fitted.append(torch.stack(over_starts).min())
    ranks = s - torch.stack(fitted)
    return ranks[torch.argsort(order)]
