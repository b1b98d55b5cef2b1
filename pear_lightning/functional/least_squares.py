"""Weighted least squares for a batch of samples at once."""

import torch
from torch import Tensor

# Eigenvalues of a Gram matrix below this fraction of the largest count as zero.
_RTOL = 1e-12


def weighted_least_squares(design: Tensor, values: Tensor, weights: Tensor) -> Tensor:
    r"""Return the coefficients of least norm that minimise the weighted squared error.

    .. math:: \beta = \arg\min_\beta \sum_k w_k (y_k - a_k^\top \beta)^2

    The smaller of the two Gram matrices, ``n x n`` or ``K x K``, is inverted with an eigenvalue
    cut-off: directions that the design does not determine get no weight, so the result is finite
    for every design.

    Args:
        design: Rows ``a_k`` of each sample, ``(K, B, n)``, or ``(K, 1, n)`` if shared, float64.
        values: Values ``y``, ``(K, B)``, float64.
        weights: Weights ``w >= 0``, broadcastable to ``(K, B)``, float64.

    Returns:
        Coefficients ``(B, n)``, float64.

    Example:
        >>> import torch
        >>> design = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).double()[:, None]
        >>> values = design @ torch.tensor([2.0, 3.0]).double()
        >>> weighted_least_squares(design, values, torch.ones(3, 1)).round(decimals=6)
        tensor([[2., 3.]], dtype=torch.float64)
    """
    root = weights.double().sqrt().T  # (B or 1, K)
    rows = root[..., None] * design.movedim(0, 1)  # (B or 1, K, n)
    right = (root * values.T)[..., None]  # (B, K, 1)
    if rows.shape[2] <= rows.shape[1]:
        inverse: Tensor = torch.linalg.pinv(rows.mT @ rows, rtol=_RTOL, hermitian=True)
        return (inverse @ (rows.mT @ right))[..., 0]
    inverse = torch.linalg.pinv(rows @ rows.mT, rtol=_RTOL, hermitian=True)
    return (rows.mT @ (inverse @ right))[..., 0]


def shapley_regression(
    keep: Tensor, scores: Tensor, weights: Tensor, counts: Tensor | None = None
) -> Tensor:
    r"""Return the Shapley values with the smallest weighted squared error over coalitions.

    The values must sum to the difference Δ between the scores of the full and the empty coalition.
    The constraint is eliminated, not approximated by a large weight: with ``φ = Δ / n + ψ`` and
    ``ψ ⊥ 1``,

    .. math:: \psi = \arg\min_\psi \sum_k w_k
              \left( v(z_k) - v(0) - \tfrac{|z_k|}{n} Δ
              - (z_k - \tfrac{|z_k|}{n})^\top \psi \right)^2

    Args:
        keep: Coalitions ``(K, B, n)``, or ``(K, 1, n)`` if shared: the full one, the empty one,
            and others.
        scores: Scores of the coalitions, ``(K, B)``, float64.
        weights: Weights of the others, broadcastable to ``(K - 2, B)``.
        counts: Number of features of each sample, ``(B,)``; beyond it ``keep`` is false and the
            values are 0. None if every sample has n features.

    Returns:
        Shapley values ``(B, n)``, float64.
    """
    full, empty = scores[0], scores[1]
    others = keep[2:].to(scores)
    n = scores.new_tensor([keep.shape[-1]]) if counts is None else counts.to(scores)
    present = torch.arange(keep.shape[-1], device=n.device) < n[:, None]
    share = others.sum(dim=-1) / n
    values = scores[2:] - empty - share * (full - empty)
    deviation = weighted_least_squares((others - share[..., None]) * present, values, weights)
    return ((full - empty) / n)[:, None] * present + deviation


def weighted_centre(design: Tensor, values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract weighted means, which is equivalent to fitting an intercept without a penalty.

    Args:
        design: ``(K, B, n)`` or ``(K, 1, n)``.
        values: ``(K, B)``.
        weights: ``(K, B)`` or ``(K, 1)``, each column summing to 1.

    Returns:
        The design ``(K, B, n)`` (or ``(K, 1, n)`` if design and weights are shared) and the
        values ``(K, B)``, centred.
    """
    design = design - torch.einsum("kb,kbn->bn", weights, design)
    return design, values - (weights * values).sum(dim=0)
