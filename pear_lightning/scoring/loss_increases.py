"""How much the loss of a model rises when a feature is removed."""

import torch
from torch import Tensor

from pear_lightning.scoring.outputs import log_prob
from pear_lightning.scoring.removals import Removals

_LEAST = 1e-7


def loss_increases(removals: Removals, target: Tensor | None, active: Tensor) -> Tensor:
    r"""Return the share of each feature in the rise of the cross-entropy.

    .. math:: ω_i = \frac{δ_i}{\sum_j δ_j}, \qquad
              δ_i = \max\left( ℓ(y, f(x ∖ i)) - ℓ(y, f(x)), \; ε \right)

    Args:
        removals: Evaluations of the model with every feature removed alone.
        target: y, ``(B,)``.
        active: Features that get a share, ``(B, n)`` bool.

    Returns:
        ``(B, n)``, the sum is 1 for samples with an active feature; float32 or better, also under
        autocast.

    Raises:
        ValueError: If features are not removed one at a time.

    References:
        Schwab, Karlen, *CXPlain: Causal Explanations for Model Interpretation under Uncertainty*,
        NeurIPS 2019, arXiv 1910.12336.
    """
    removed = ~removals.keep
    largest = int(removed.sum(dim=2).max())
    if largest > 1:
        raise ValueError(
            "removals must be those of SingleRemovalLaw, one feature at a time, got subsets of up "
            f"to {largest} features"
        )
    drops = removals.drops(log_prob, target)
    with torch.autocast(drops.device.type, enabled=False):
        rises = torch.einsum("bkn,bk->bn", removed.to(drops), drops)
    rises = rises.clamp(min=_LEAST).masked_fill(~active, 0)
    return rises / rises.sum(dim=1, keepdim=True).clamp(min=_LEAST)
