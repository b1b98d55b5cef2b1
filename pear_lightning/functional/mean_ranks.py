"""Ranks of competitors by the means of their scores, and bootstrap draws of the means."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pear_lightning.functional.ranks import hard_ranks

_ROUNDING = 2**-20  # of the larger of two means, about the precision of float32
_WEIGHTS_AT_ONCE = 2**23  # 64 MiB of float64


def ranks_of_means(means: Tensor, higher_is_better: Tensor) -> Tensor:
    """Rank competitors by each measure, 1 for the best.

    Means that are equal up to the precision of float32 share the mean of their ranks.

    Args:
        means: ``(..., M, E)`` floating, E competitors by M measures.
        higher_is_better: ``(M,)`` bool, the direction of each measure.

    Returns:
        ``(..., M, E)`` float64.

    Example:
        >>> means = torch.tensor([[0.9, 0.1, 0.9], [3.0, 2.0, 1.0]])
        >>> ranks_of_means(means, torch.tensor([True, False])).tolist()
        [[1.5, 3.0, 1.5], [3.0, 2.0, 1.0]]
    """
    means = means.double()
    ordered, order = means.sort(dim=-1)
    # neighbours that differ by no more than rounding are one level; levels are numbered upwards
    size = torch.maximum(ordered[..., 1:].abs(), ordered[..., :-1].abs())
    differ = ordered.diff(dim=-1) > _ROUNDING * size
    level = torch.zeros_like(means)
    level[..., 1:] = differ.cumsum(dim=-1)
    levels = torch.zeros_like(means).scatter(-1, order, level)
    return hard_ranks(torch.where(higher_is_better[:, None], -levels, levels))


def bootstrap_means(scores: Tensor, n_resamples: int, seed: int = 0) -> Iterator[Tensor]:
    """Yield means over bootstrap draws of the samples, with replacement.

    All rows share the draws, which keeps what they have in common, such as samples that are hard
    for every competitor.

    Args:
        scores: ``(..., N)`` floating, a value for each of N samples.
        n_resamples: Number of draws R.
        seed: Seed of the draws.

    Yields:
        ``(r, ...)`` float64, means of some of the R draws.

    Example:
        >>> scores = torch.tensor([[0.0, 1.0], [1.0, 2.0]])
        >>> (means,) = bootstrap_means(scores, n_resamples=100)
        >>> means.shape, bool((means[:, 1] - means[:, 0] == 1).all())
        (torch.Size([100, 2]), True)
    """
    generator = torch.Generator().manual_seed(seed)
    values = scores.detach().to("cpu", torch.float64)
    n_samples = values.shape[-1]
    at_once = max(1, _WEIGHTS_AT_ONCE // n_samples)
    for start in range(0, n_resamples, at_once):
        size = (min(at_once, n_resamples - start), n_samples)
        drawn = torch.randint(n_samples, size, generator=generator)
        weights = values.new_zeros(size).scatter_add_(1, drawn, values.new_ones(size))
        means = weights @ values.reshape(-1, n_samples).T / n_samples
        yield means.view(-1, *values.shape[:-1])
