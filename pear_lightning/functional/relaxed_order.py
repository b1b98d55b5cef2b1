"""Relaxed orders: how much each feature belongs to the first places of a ranking."""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.soft_rank import soft_rank
from pear_lightning.functional.validation import at_least_float32, check_choice

Relaxation = Literal["sinkhorn", "soft_rank"]


def sinkhorn(log_matrix: Tensor, n_iterations: int = 20) -> Tensor:
    """Return a doubly stochastic matrix: rows and columns are normalised in turn.

    Args:
        log_matrix: Logarithms of positive entries, ``(..., n, n)``.
        n_iterations: Number of normalisations of rows and of columns.

    Example:
        >>> matrix = sinkhorn(torch.randn(2, 4, 4))
        >>> bool(torch.allclose(matrix.sum(dim=1), torch.ones(2, 4)))
        True

    References:
        Mena, Belanger, Linderman, Snoek, *Learning Latent Permutations with Gumbel-Sinkhorn
        Networks*, ICLR 2018, arXiv 1802.08665.
    """
    for _ in range(n_iterations):
        log_matrix = log_matrix - log_matrix.logsumexp(dim=-1, keepdim=True)
        log_matrix = log_matrix - log_matrix.logsumexp(dim=-2, keepdim=True)
    return log_matrix.exp()


def relaxed_prefixes(
    scores: Tensor,
    sizes: Tensor,
    present: Tensor,
    *,
    relaxation: Relaxation = "sinkhorn",
    temperature: float = 0.1,
    gumbel: Tensor | None = None,
) -> Tensor:
    r"""Return the share of each feature among the t features of the highest scores.

    Scores are standardised over the features of a sample. With ``"sinkhorn"``, the relaxed
    permutation is

    .. math:: P = \operatorname{Sinkhorn}\left( (- |φ_i - φ_{(j)}| + g_{ij}) / τ \right)

    with the scores :math:`φ_{(j)}` in decreasing order, and the share is the sum of its first t
    columns. With ``"soft_rank"``, it is :math:`σ((t + 1/2 - r_i) / τ)`, where r are the decreasing
    soft ranks of strength τ. Close to τ = 0, both are the hard choice of the t highest scores.

    Args:
        scores: φ, ``(B, n)``.
        sizes: t, ``(K, B)`` long.
        present: Features that have a place in the order, ``(B, n)`` bool; others have share 0. A
            sample may have none.
        relaxation: ``"sinkhorn"`` or ``"soft_rank"``.
        temperature: τ > 0.
        gumbel: Noise g, ``(B, n, n)``, for ``"sinkhorn"``; ``None`` for none.

    Returns:
        ``(K, B, n)`` in [0, 1], float32 or better.

    Example:
        >>> scores, present = torch.tensor([[3.0, 1.0, 2.0]]), torch.ones(1, 3, dtype=torch.bool)
        >>> relaxed_prefixes(scores, torch.tensor([[2]]), present, temperature=0.01).round().abs()
        tensor([[[1., 0., 1.]]])

    References:
        Schinagl, Fruhwirth-Reisinger, Prutsch, Schulter, Possegger, *Learn to Rank: Visual
        Attribution by Learning Importance Ranking*, arXiv 2604.05819 (Gumbel-Sinkhorn); Prillo,
        Eisenschlos, *SoftSort*, ICML 2020, arXiv 2006.16038 (the distances); Blondel, Teboul,
        Berthet, Djolonga, *Fast Differentiable Sorting and Ranking*, ICML 2020 (soft ranks).
    """
    check_choice("relaxation", relaxation, ("sinkhorn", "soft_rank"))
    # many absent features, which are tied, must not reach into the ranks of the present ones
    gap = max(3.0, temperature * scores.shape[1])
    scores = _standardised(at_least_float32(scores), present, gap)
    if relaxation == "soft_rank":
        ranks = scores.shape[1] + 1 - soft_rank(scores, temperature)
        share = ((sizes[..., None] + 0.5 - ranks) / temperature).sigmoid()
        return share.masked_fill(~present, 0)
    ordered = scores.sort(dim=1, descending=True).values
    distances = (scores[:, :, None] - ordered[:, None]).abs()
    log_matrix = -distances if gumbel is None else gumbel - distances
    matrix = sinkhorn(log_matrix / temperature)
    first = torch.arange(scores.shape[1], device=scores.device) < sizes[..., None]
    with torch.autocast(scores.device.type, enabled=False):
        share = torch.einsum("bij,kbj->kbi", matrix, first.to(matrix.dtype))
    return share.clamp(0, 1).masked_fill(~present, 0)


def _standardised(scores: Tensor, present: Tensor, gap: float) -> Tensor:
    """Return scores with mean 0 and variance 1 in each sample, absent features far below.

    The lowest present score and those of absent features differ by the gap.
    """
    weights = present.to(scores.dtype)
    counts = weights.sum(dim=1, keepdim=True).clamp(min=1)
    centred = scores - (weights * scores).sum(dim=1, keepdim=True) / counts
    variance = (weights * centred.square()).sum(dim=1, keepdim=True) / counts
    flat = variance == 0
    scaled = centred / variance.masked_fill(flat, 1).sqrt()
    lowest = scaled.masked_fill(~present, torch.inf).amin(dim=1, keepdim=True)
    lowest = lowest.masked_fill(~present.any(dim=1, keepdim=True), 0)
    return torch.where(present, scaled, lowest - gap)
