"""Bootstrap samples without copies of rows."""

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import derived_seeds, hashed_uniform

_POISSON = (0.36787944, 0.73575888, 0.91969860, 0.98101184, 0.99634015, 0.99940582, 0.99991676)


def bootstrap_weights(seeds: Tensor, n_members: int) -> Tensor:
    """Return how often each row occurs in the bootstrap sample of each member of an ensemble.

    The numbers follow the Poisson law with mean 1, the limit of drawing with replacement, without
    its tail above 7.

    Args:
        seeds: Seeds of the rows, ``(B,)`` long; a row has the same numbers in every epoch and
            process.
        n_members: Number of members M.

    Returns:
        ``(M, B)`` float32.

    Example:
        >>> from pear_lightning.functional.hashed_random import sample_seeds
        >>> weights = bootstrap_weights(sample_seeds(torch.rand(1000, 3)), 5)
        >>> weights.shape, bool((weights.mean(dim=1) - 1).abs().max() < 0.1)
        (torch.Size([5, 1000]), True)

    References:
        Oza, Russell, *Online Bagging and Boosting*, AISTATS 2001.
    """
    members = torch.arange(n_members, device=seeds.device)
    uniform = hashed_uniform(derived_seeds(seeds, "bootstrap"), members, 1)
    steps = torch.tensor(_POISSON, device=uniform.device)
    return (uniform > steps).sum(dim=-1).float()
