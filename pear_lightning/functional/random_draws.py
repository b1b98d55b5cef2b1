"""Random draws of explainers: different for each sample, or shared by all."""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import (
    derived_seeds,
    hashed_normal,
    hashed_uniform,
    sample_seeds,
)


def random_draws(
    distribution: Literal["normal", "uniform"],
    n_draws: int,
    inputs: Tensor,
    shape: tuple[int, ...],
    seed: int | None = None,
) -> Tensor:
    """Draw random numbers for each sample of a batch.

    Without a seed, each sample gets different draws from torch's global generator. With a seed, all
    samples share one set of draws, which depends on the seed alone and is the same on every device,
    so the explanation of a sample does not depend on its batch; draws for the first positions of
    embeddings do not depend on their number, so neither does padding on the right matter.

    Args:
        distribution: ``"normal"`` (standard) or ``"uniform"`` (on [0, 1)).
        n_draws: Number of draws K.
        inputs: Inputs, ``(B, *S)``; the draws have their batch size, device and dtype.
        shape: Shape of one draw.
        seed: Seed of the shared draws, or ``None``.

    Returns:
        Draws ``(K, B, *shape)``, or ``(K, 1, *shape)`` if they are shared.
    """
    sample = torch.randn if distribution == "normal" else torch.rand
    if seed is None:
        size = (n_draws, inputs.shape[0], *shape)
        return sample(size, device=inputs.device, dtype=inputs.dtype)
    if len(shape) == 2:  # of embeddings (T, E)
        shared = sample_seeds(torch.zeros(1, 1, device=inputs.device), seed)
        draws = torch.arange(n_draws, device=inputs.device)
        hashed = hashed_normal if distribution == "normal" else hashed_uniform
        numbers = hashed(derived_seeds(shared, distribution), draws, shape[0] * shape[1])
        return numbers.view(n_draws, 1, *shape).to(inputs)
    generator = torch.Generator().manual_seed(seed)
    return sample((n_draws, 1, *shape), generator=generator).to(inputs)
