"""Coalitions: which features of a sample stay in place while the others are removed.

Samples may have different numbers of features: ``counts (B,)``, or ``(1,)`` if all samples have the
same number. Coalitions are ``keep (K, B, m)``, or ``(K, 1, m)`` if all samples share them, with m
the largest number of features; entries beyond the number of features of a sample are false. A
coalition that only pads the rows of a sample with few features is not ``valid (K, B)``.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Uniform = Callable[[int, int], Tensor]
"""Maps a number of draws K and a number of values per draw m to uniform values ``(K, B, m)``."""


def budgets(counts: Tensor, n_samples: int | None) -> Tensor:
    """Return the number of coalitions that may be evaluated for each sample, ``(B,)`` long.

    Without a given number it is 32 n for n features, but at least 1024 and at most 4096. With that
    number, all coalitions of up to 10 features are enumerated. For an MLP of 23 to 60 features,
    KernelSHAP then ranks pairs of features as in a repetition with a probability of about .9, and
    of .8 with 256 coalitions.

    Args:
        counts: Numbers of features n, ``(B,)``.
        n_samples: The same number for all samples; ``None`` for the numbers above.

    Example:
        >>> budgets(torch.tensor([8, 60, 1000]), None)
        tensor([1024, 1920, 4096])
    """
    if n_samples is not None:
        return torch.full_like(counts, n_samples)
    return (32 * counts).clamp(1024, 4096)


def can_enumerate(counts: Tensor, budget: Tensor) -> Tensor:
    """Return whether a budget suffices for all ``2^n`` coalitions of a sample, ``(B,)`` bool.

    Args:
        counts: Numbers of features n, ``(B,)``.
        budget: Numbers of coalitions that may be evaluated, ``(B,)``.
    """
    return 2 ** counts.clamp(max=62) <= budget


def all_coalitions(counts: Tensor, n_rows: int | None = None) -> tuple[Tensor, Tensor]:
    """Return every coalition once: the full one, the empty one, then the others.

    Args:
        counts: Numbers of features, ``(B,)``.
        n_rows: Number of coalitions K; None for all those of the sample with the most features.

    Returns:
        ``keep (K, B, m)`` and ``valid (K, B)``.

    Example:
        >>> keep, _ = all_coalitions(torch.tensor([2]))
        >>> keep[:, 0].int().tolist()
        [[1, 1], [0, 0], [1, 0], [0, 1]]
    """
    largest = int(counts.max())
    n_rows = 2**largest if n_rows is None else n_rows
    numbers = torch.arange(n_rows, device=counts.device)[:, None]
    features = torch.arange(largest, device=counts.device)
    valid = numbers < 2 ** counts.clamp(max=62)
    bits = ((numbers - 1) >> features.clamp(max=62)) & 1  # -1 has every bit set
    # a sample with fewer coalitions repeats the full one
    return (bits.bool()[:, None] | ~valid[..., None]) & (features < counts[:, None]), valid


def with_ends(keep: Tensor, counts: Tensor) -> Tensor:
    """Return the full and the empty coalition, followed by other coalitions.

    Args:
        keep: Coalitions ``(K, B, m)`` or ``(K, 1, m)``.
        counts: Numbers of features, ``(B,)``.

    Returns:
        ``keep (K + 2, B, m)``, or ``(K + 2, 1, m)`` if shared.

    Example:
        >>> with_ends(torch.tensor([[[True, False]]]), torch.tensor([2])).int()[:, 0].tolist()
        [[1, 1], [0, 0], [1, 0]]
    """
    full = present_players(counts).expand(1, *keep.shape[1:])
    return torch.cat([full, torch.zeros_like(full), keep])


def present_players(counts: Tensor) -> Tensor:
    """Return which of the m numbers are features of a sample, ``(B, m)`` bool.

    Args:
        counts: Numbers of features, ``(B,)``; m is the largest.

    Example:
        >>> present_players(torch.tensor([1, 2])).int().tolist()
        [[1, 0], [1, 1]]
    """
    return torch.arange(int(counts.max()), device=counts.device) < counts[:, None]


def smallest(numbers: Tensor, size: Tensor, counts: Tensor) -> Tensor:
    """Return coalitions of the features with the smallest numbers.

    Args:
        numbers: A number for each feature, ``(K, B, m)`` or ``(K, 1, m)``.
        size: Sizes of the coalitions, ``(K, B)`` or ``(K, 1)``.
        counts: Numbers of features, ``(B,)``.

    Returns:
        ``keep (K, B, m)``, or ``(K, 1, m)`` if shared.

    Example:
        >>> numbers = torch.tensor([[[0.9, 0.1, 0.5]]])
        >>> smallest(numbers, torch.tensor([[2]]), torch.tensor([3]))
        tensor([[[False,  True,  True]]])
    """
    order = numbers.masked_fill(~present_players(counts), 2)  # absent features come last
    rank = order.argsort(dim=-1, stable=True).argsort(dim=-1)
    return rank < size[..., None]


def shapley_sizes(uniform: Tensor, counts: Tensor) -> Tensor:
    """Return sizes k of coalitions with probability proportional to ``1 / (k (n - k))``.

    Args:
        uniform: Uniform values in [0, 1), ``(K, B)`` or ``(K, 1)``.
        counts: Numbers of features n, ``(B,)`` or ``(1,)``.

    Returns:
        ``(K, B)``, or ``(K, 1)`` if both arguments are shared; 0 for a sample with one feature.

    Example:
        >>> shapley_sizes(torch.tensor([[0.1], [0.4], [0.9]]), torch.tensor([4])).flatten()
        tensor([1, 2, 3])
    """
    n = counts.cpu()[:, None].double()
    sizes = torch.arange(1, max(2, int(n.max())), dtype=torch.float64)
    cumulative = torch.where(sizes < n, 1 / (sizes * (n - sizes)).clamp(min=1), 0).cumsum(dim=1)
    cumulative = (cumulative / cumulative[:, -1:]).to(uniform)  # NaN for a single feature
    (rows,) = torch.broadcast_shapes((len(cumulative),), (uniform.shape[1],))  # may be 0
    size = 1 + torch.searchsorted(
        cumulative.expand(rows, -1).contiguous(),
        uniform.T.expand(rows, -1).contiguous(),
        right=True,
    )
    return torch.minimum(size.T, counts - 1)  # 0 for a single feature


def enumerated_or_drawn(
    counts: Tensor, budget: Tensor, enumerable: Tensor, drawn: Callable[[int], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return all coalitions of samples with few features, and drawn coalitions of the others.

    Args:
        counts: Numbers of features, ``(B,)``.
        budget: Numbers of coalitions that may be evaluated, ``(B,)``, at most K.
        enumerable: ``(B,)`` bool, the samples whose coalitions are enumerated; each of them has no
            more coalitions than its budget.
        drawn: Function that draws K coalitions of all samples, ``(K, B, m)`` or ``(K, 1, m)``.

    Returns:
        ``keep (K, B, m)`` and ``valid (K, B)``; B is 1 if all samples share the coalitions.
    """
    if bool(enumerable.all()):
        return all_coalitions(counts)
    keep = drawn(int(budget.max()))
    # a sample uses the same draws in a batch with samples of more features
    affordable = torch.arange(len(keep), device=counts.device)[:, None] < budget
    if not bool(enumerable.any()):
        return keep, affordable
    every, valid = all_coalitions(counts, len(keep))
    return every.where(enumerable[:, None], keep), valid.where(enumerable, affordable)


def shapley_kernel(keep: Tensor, counts: Tensor) -> Tensor:
    r"""Return the Shapley kernel ``(n - 1) / (C(n, k) k (n - k))`` of coalitions of size k.

    Args:
        keep: Coalitions ``(K, B, m)``.
        counts: Numbers of features n, ``(B,)``.

    Returns:
        Weights ``(K, B)``, float64, scaled so that the largest weight of each sample is 1 (a
        common factor has no effect); 0 for full and empty coalitions.
    """
    n = counts.double()
    size = keep.sum(-1).double()
    inside = (size > 0) & (size < n)
    size = size.where(inside, 1)
    # log C(n, k) = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1); n! is a common factor.
    log_weight = (size + 1).lgamma() + (n - size + 1).lgamma() - (size * (n - size)).log()
    log_weight = log_weight.masked_fill(~inside, -torch.inf)
    if not len(log_weight):
        return log_weight
    largest = log_weight.amax(dim=0)
    return (log_weight - largest.where(largest.isfinite(), 0)).exp()
