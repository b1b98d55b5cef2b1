"""How far a trained model is from a linear one."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def nonlinearity(backbone: nn.Module, rows: Tensor, planes: int = 200, seed: int = 0) -> float:
    """Return the fraction of variance unexplained by affine fits of the margin on random planes.

    Each plane goes through three rows; the logit margin is fitted on a grid of 20 x 20 points,
    from -0.1 to 1.1 along both edges.

    Args:
        backbone: The model, rows ``(B, n)`` to logits ``(B, 2)``.
        rows: Rows to draw from, ``(N, n)``.
        planes: Number of planes.
        seed: Seed of the draw.

    Returns:
        Mean over the planes: 0 for a linear model, 1 for no linear trend at all.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = torch.linspace(-0.1, 1.1, 20)
    s, t = (each.flatten() for each in torch.meshgrid(steps, steps, indexing="ij"))
    design = torch.stack([torch.ones_like(s), s, t], dim=1).double()
    projection = design @ torch.linalg.pinv(design)
    fractions = []
    for _ in range(planes):
        a, b, c = rows[torch.randperm(len(rows), generator=generator)[:3]]
        points = a + s[:, None] * (b - a) + t[:, None] * (c - a)
        logits = backbone(points).double()
        margin = logits[:, 1] - logits[:, 0]
        left = margin - projection @ margin
        total = (margin - margin.mean()).square().sum()
        fractions.append(float(left.square().sum() / total) if total > 0 else 0.0)
    return sum(fractions) / planes
