"""How far metrics order the explanations of one sample alike."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pear_lightning.functional.ranks import average_ranks


def metric_correlation_within_samples(
    scores: Mapping[str, Tensor], directions: Mapping[str, bool]
) -> Tensor:
    """Return how far two metrics order the explanations of one sample alike.

    Args:
        scores: ``(E, N)`` for each of M metrics.
        directions: Whether a higher value is better.

    Returns:
        Spearman's correlation over the explanations, mean over the samples, ``(M, M)``.
    """
    ranks = torch.stack(
        [
            average_ranks((each if directions[name] else -each).double().T)
            for name, each in scores.items()
        ]
    )  # (M, N, E)
    centred = ranks - ranks.mean(dim=2, keepdim=True)
    norm = centred.norm(dim=2)
    product = norm[:, None] * norm
    correlation = torch.einsum("mne,kne->mkn", centred, centred) / product.where(product > 0, 1)
    mean: Tensor = correlation.mean(dim=2)
    return mean
