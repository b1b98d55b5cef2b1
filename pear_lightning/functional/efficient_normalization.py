"""Scores that sum to a given total."""

from torch import Tensor


def efficient_normalization(saliency: Tensor, total: Tensor, active: Tensor) -> Tensor:
    r"""Add a constant to the scores of each sample so that they sum to a total.

    .. math:: φ_i + \frac{1}{n} \left( t - \sum_j φ_j \right)

    It is the projection on the scores with this sum: if the total is the difference of the values
    of the full and the empty coalition, estimates of Shapley values never move away from the
    Shapley values.

    Args:
        saliency: Scores φ, ``(B, n)`` or ``(B, n, C)``.
        total: t, ``(B,)`` or ``(B, C)``.
        active: Features that get a share, ``(B, n)`` bool; others keep their score. A sample
            without any keeps all its scores.

    Example:
        >>> import torch
        >>> scores, active = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[True, False, True]])
        >>> efficient_normalization(scores, torch.tensor([5.0]), active)
        tensor([[2., 0., 3.]])

    References:
        Ruiz, Valenciano, Zarzuelo, *The Family of Least Square Values for Transferable Utility
        Games*, Games and Economic Behavior 24, 1998. For networks: Jethani, Sudarshan, Covert, Lee,
        Ranganath, *FastSHAP: Real-Time Shapley Value Estimation*, ICLR 2022, arXiv 2107.07436
        (additive efficient normalization).
    """
    weights = active.to(saliency.dtype)
    if saliency.ndim == 3:
        weights = weights[..., None]
    share = (total - saliency.sum(dim=1)) / weights.sum(dim=1).clamp(min=1)
    return saliency + weights * share[:, None]
