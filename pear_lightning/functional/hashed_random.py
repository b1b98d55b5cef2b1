"""Random numbers of a sample without a state: a hash of the sample's values and a counter.

A sample gets the same numbers in every batch and process, at every position and on every device.
"""

import math
from zlib import crc32

import torch
from torch import Tensor

from pear_lightning.functional.splitmix64 import STEP, mixed, mixed_streams


def sample_seeds(inputs: Tensor, seed: int = 0, where: Tensor | None = None) -> Tensor:
    """Return a seed for every sample, from its values and their positions.

    Half precision and float32 of the same values give the same seed; float64 gives another one.

    Args:
        inputs: ``(B, *S)``, any real dtype.
        seed: a number that the seeds also depend on.
        where: bool, broadcastable to ``(B, *S)``; values outside are ignored and positions are
            counted inside, so padding on either side changes nothing. None for all values.

    Returns:
        ``(B,)`` long.

    Example:
        >>> import torch
        >>> a, b = torch.rand(2, 1, 3)
        >>> bool(sample_seeds(torch.cat([a, b]))[1] == sample_seeds(b)[0])
        True
    """
    bits = _bits(inputs.detach()).flatten(1)
    if where is None:
        position = torch.arange(bits.shape[1], device=bits.device)
    else:
        where = where.expand(inputs.shape).flatten(1)
        position = ranks(where)
    hashed = mixed(bits + mixed((position + 1) * STEP))
    if where is not None:
        hashed = hashed.masked_fill(~where, 0)
    # integers: the order of the sum does not matter
    return mixed(hashed.sum(dim=1) + _signed(_signed(seed) * STEP))


def derived_seeds(seeds: Tensor, purpose: str, seed: int = 0) -> Tensor:
    """Return seeds for one purpose, so that two purposes do not get the same numbers.

    Args:
        seeds: any shape, long, from :func:`sample_seeds`.
        purpose: what the numbers are for.
        seed: another value gives other numbers for the same purpose.

    Returns:
        Long, the same shape.

    Example:
        >>> import torch
        >>> seeds = sample_seeds(torch.rand(2, 3))
        >>> bool((derived_seeds(seeds, "noise") != derived_seeds(seeds, "subsets")).all())
        True
    """
    return mixed(mixed(seeds + crc32(purpose.encode())) + _signed(_signed(seed) * STEP))


def hashed_keys(seeds: Tensor, draws: Tensor, size: int) -> Tensor:
    """Return random integers for each sample, draw and element.

    Args:
        seeds: ``(B,)`` long, from :func:`sample_seeds`.
        draws: ``(K,)`` long, numbers of the draws.
        size: number of elements m; a larger one leaves the first elements unchanged.

    Returns:
        ``(K, B, m)`` long, uniform over all int64.

    Example:
        >>> import torch
        >>> seeds = sample_seeds(torch.rand(4, 3))
        >>> hashed_keys(seeds, torch.arange(2), 5).shape
        torch.Size([2, 4, 5])
    """
    return mixed_streams(_streams(seeds, draws), size, torch.int64, lambda keys: keys)


def hashed_uniform(seeds: Tensor, draws: Tensor, size: int) -> Tensor:
    """Return uniform random numbers in (0, 1) for each sample, draw and element.

    Args:
        seeds: ``(B,)`` long, from :func:`sample_seeds`.
        draws: ``(K,)`` long, numbers of the draws.
        size: number of elements m.

    Returns:
        ``(K, B, m)`` float32, odd multiples of 2⁻²⁴.

    Example:
        >>> import torch
        >>> values = hashed_uniform(sample_seeds(torch.rand(2, 3)), torch.arange(500), 100)
        >>> bool((values.mean() - 0.5).abs() < 0.01), bool(values.min() > 0)
        (True, True)
    """

    def in_unit(high: Tensor) -> Tensor:
        return high.float().add_(0.5).mul_(2.0**-23)

    # 23 bits, so that adding 0.5 is exact
    return mixed_streams(_streams(seeds, draws), size, torch.float32, in_unit, shift=41)


def hashed_numbers(seeds: Tensor, draws: Tensor, size: int) -> Tensor:
    """Return uniform random numbers in (0, 1] with 53 bits, so that they can be ranked.

    Args:
        seeds: ``(B,)`` long, from :func:`sample_seeds`.
        draws: ``(K,)`` long, numbers of the draws.
        size: number of elements m.

    Returns:
        ``(K, B, m)`` float64; float32 on devices without float64.

    Example:
        >>> import torch
        >>> values = hashed_numbers(sample_seeds(torch.rand(2, 3)), torch.arange(500), 100)
        >>> bool((values.mean() - 0.5).abs() < 0.01), values.unique().numel()
        (True, 100000)
    """
    dtype = torch.float32 if seeds.device.type == "mps" else torch.float64

    def in_unit(keys: Tensor) -> Tensor:
        return keys.to(dtype).mul_(-(2.0**-64)).add_(0.5)

    return mixed_streams(_streams(seeds, draws), size, dtype, in_unit)


def hashed_normal(seeds: Tensor, draws: Tensor, size: int) -> Tensor:
    """Return standard normal random numbers for each sample, draw and element.

    Args:
        seeds: ``(B,)`` long, from :func:`sample_seeds`.
        draws: ``(K,)`` long, numbers of the draws.
        size: number of elements m.

    Returns:
        ``(K, B, m)`` float32, at most 5.3 in absolute value.

    Example:
        >>> import torch
        >>> values = hashed_normal(sample_seeds(torch.rand(2, 3)), torch.arange(500), 100)
        >>> bool((values.std() - 1).abs() < 0.02)
        True
    """
    uniform = hashed_uniform(seeds, draws, size)
    return torch.erfinv(2 * uniform - 1) * math.sqrt(2)


def ranks(where: Tensor) -> Tensor:
    """Return the number of true entries before each entry of a row.

    Args:
        where: ``(..., m)`` bool.

    Returns:
        Long, the same shape, from 0 to m - 1; true entries get consecutive numbers.

    Example:
        >>> import torch
        >>> ranks(torch.tensor([False, True, True, False, True]))
        tensor([0, 0, 1, 2, 2])
    """
    return where.cumsum(dim=-1) - where.long()


def placed(values: Tensor, inputs: Tensor, where: Tensor | None) -> Tensor:
    """Assign numbers to the elements of inputs, in order, so that padding has no effect.

    Args:
        values: ``(K, B, m)`` for the m elements of an input.
        inputs: ``(B, *S)``.
        where: bool, broadcastable to the inputs; the first number goes to the first element inside.
            None for all elements.

    Returns:
        ``(K, B, *S)``; values outside repeat others.

    Example:
        >>> import torch
        >>> values, where = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[False, True, True]])
        >>> placed(values, torch.zeros(1, 3), where)[0, :, 1:]
        tensor([[1., 2.]])
    """
    if where is not None:
        rank = ranks(where.expand(inputs.shape).flatten(1))
        values = values.gather(2, rank.expand(values.shape))
    return values.view(len(values), *inputs.shape)


def _streams(seeds: Tensor, draws: Tensor) -> Tensor:
    """Return the start of the random numbers of each draw and sample, ``(K, B)`` long."""
    return mixed(seeds + mixed((draws[:, None] + 1) * STEP))


def _signed(seed: int) -> int:
    """Wrap an integer of any size into the range of int64."""
    return (seed + 2**63) % 2**64 - 2**63


def _bits(values: Tensor) -> Tensor:
    """Return the bits of numbers as int64; 0.0 and -0.0 have the same bits."""
    if not values.is_floating_point():
        return values.long()
    if values.dtype == torch.float64:
        return (values + 0.0).view(torch.int64)
    return (values.float() + 0.0).view(torch.int32).long()
