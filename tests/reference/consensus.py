"""The consensus loss of PEAR with two explanations, from the definition, for rows that vary."""

import torch
from torch import Tensor

from tests.reference.correlation import pearson
from tests.reference.soft_rank import soft_rank


def consensus(a: Tensor, b: Tensor, spearman_weight: float, strength: float = 0.2) -> list[float]:
    """C = μ (1 − ρ_S)/2 + (1 − μ)(1 − ρ_P)/2 for each row, ranking absolute values as they are."""
    losses = []
    for row_a, row_b in zip(a.double(), b.double(), strict=True):
        rho_p = pearson(row_a.tolist(), row_b.tolist())
        ranks = [soft_rank(row.abs(), strength).tolist() for row in (row_a, row_b)]
        rho_s = pearson(*ranks)
        losses.append(spearman_weight * (1 - rho_s) / 2 + (1 - spearman_weight) * (1 - rho_p) / 2)
    return losses


def consensus_loss(a: Tensor, b: Tensor, spearman_weight: float, strength: float) -> Tensor:
    """The mean of C over the rows, differentiable by autograd."""
    losses = []
    for row_a, row_b in zip(a, b, strict=True):
        rho_p = torch.corrcoef(torch.stack([row_a, row_b]))[0, 1]
        ranks = [soft_rank(row.abs(), strength) for row in (row_a, row_b)]
        rho_s = torch.corrcoef(torch.stack(ranks))[0, 1]
        losses.append(spearman_weight * (1 - rho_s) / 2 + (1 - spearman_weight) * (1 - rho_p) / 2)
    return torch.stack(losses).mean()
