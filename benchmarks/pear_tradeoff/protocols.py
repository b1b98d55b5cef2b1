"""How the PEAR benchmark looks at a trained model: explainers, linearity, junk features."""

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from pear_lightning.explainers import (
    Explainer,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    RandomAttributions,
    SmoothGrad,
    explain,
)
from pear_lightning.losses import ConsensusLoss

ROWS = 500
TOP_K = 5

PAPER = ("Grad", "IntGrad", "SmoothGrad", "Grad*Input", "LIME", "SHAP")
"""Protocol A, the paper's: slopes, and contributions from two baselines."""

ALIGNED = ("Grad*(x-b)", "IntGrad*(x-b)", "SmoothGrad*(x-b)", "LIME(b)", "SHAP(b)")
"""Protocol B: contributions of every feature measured from one baseline, the training mean."""

RANDOM = "Random"
TRAINED_BY_THE_PAPER = ("Grad", "IntGrad")


def paper_protocol() -> dict[str, Explainer]:
    """Return the explainers of the paper with its settings, and random attributions."""
    return {
        "Grad": Gradient(),
        "IntGrad": IntegratedGradients(20, "mean", multiply_by_inputs=False),
        "SmoothGrad": SmoothGrad(10, 1.0),
        "Grad*Input": InputXGradient("zeros"),
        "LIME": Lime(200, "zeros", alpha=1e-4, exhaustive=False),
        "SHAP": KernelShap(200, "mean", paired=False, exhaustive=False),
        RANDOM: RandomAttributions(),
    }


def aligned_protocol() -> dict[str, Explainer]:
    """Return explainers of one quantity; LIME and SHAP use all 2^n masks, for n up to 8."""
    return {
        "Grad*(x-b)": InputXGradient("mean"),
        "IntGrad*(x-b)": IntegratedGradients(20, "mean"),
        "SmoothGrad*(x-b)": SmoothGrad(50, 0.1, multiply_by_inputs=True, baseline="mean"),
        "LIME(b)": Lime(256, "mean", alpha=1e-4),
        "SHAP(b)": KernelShap(256, "mean"),
    }


def training_explainers(names: tuple[str, ...], nodes: int) -> dict[str, Explainer]:
    """Return explainers to train, by their names in the protocols.

    Args:
        names: Names in one of the protocols.
        nodes: Query points of integrated gradients.

    Returns:
        Explainers by name.
    """
    known = {**paper_protocol(), **aligned_protocol()}
    known["IntGrad"] = IntegratedGradients(nodes, "mean", multiply_by_inputs=False)
    known["IntGrad*(x-b)"] = IntegratedGradients(nodes, "mean")
    known["IntGrad*Input"] = IntegratedGradients(nodes, "zeros")  # trained only
    known["SmoothGrad"] = SmoothGrad(3, 1.0)
    return {name: known[name] for name in names}


def pairs_of(protocol: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return all pairs of a protocol's explainers."""
    return list(combinations(protocol, 2))


def consensus_of_paper(backbone: nn.Module, mean: Tensor, inputs: Tensor, target: Tensor) -> float:
    """Return the paper's consensus loss (μ = 0.75) of a model, with 20 nodes.

    Args:
        backbone: The model.
        mean: Mean of the training rows, ``(n,)``.
        inputs: Rows to explain, ``(B, n)``.
        target: Their classes, ``(B,)``.

    Returns:
        C, averaged over the rows.
    """
    pair = [Gradient(), IntegratedGradients(20, mean, multiply_by_inputs=False)]
    with torch.no_grad():
        attributions = explain(backbone, inputs, target, pair)[1]
    return float(ConsensusLoss(0.75, normalize="none", strength=0.2)(*attributions))


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


def junk_shares(
    backbone: nn.Module,
    explainers: Mapping[str, Explainer],
    inputs: Tensor,
    target: Tensor,
    n_real: int,
) -> dict[str, tuple[float, float]]:
    """Return how much junk stands among the five most important features.

    Args:
        backbone: The model.
        explainers: Explainers by name.
        inputs: Rows to explain, junk in the last columns, ``(B, n)``.
        target: Their classes, ``(B,)``.
        n_real: Number of real features.

    Returns:
        For each explainer the share of rows with junk in the top five, and the share of junk
        among the five.
    """
    with torch.no_grad():
        attributions = explain(backbone, inputs, target, list(explainers.values()))[1]
    shares = {}
    for name, each in zip(explainers, attributions, strict=True):
        is_junk = each.abs().topk(TOP_K, dim=1).indices >= n_real
        shares[name] = (
            float(is_junk.any(dim=1).float().mean()),
            float(is_junk.float().mean()),
        )
    return shares
