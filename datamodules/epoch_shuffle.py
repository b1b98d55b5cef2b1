"""A shuffle that depends on the seed and the epoch alone."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import RandomSampler
from typing_extensions import override


class EpochShuffle(RandomSampler):
    """Visit all rows in an order that the global seed and the epoch decide.

    A run that resumes in epoch 3 then sees the rows in the order of the uninterrupted run's
    epoch 3, whatever random numbers were drawn before. Lightning calls :meth:`set_epoch`, and
    replaces the sampler by a shuffling ``DistributedSampler`` under DDP. Where nobody calls it,
    each pass over the data is the next epoch.

    Args:
        rows: The data set.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> sampler = EpochShuffle(range(5))
        >>> first, second = list(sampler), list(sampler)
        >>> sampler.set_epoch(0)
        >>> sorted(second), list(sampler) == first, second == first
        ([0, 1, 2, 3, 4], True, False)
    """

    def __init__(self, rows: Any) -> None:
        super().__init__(rows)
        self.seed = torch.initial_seed()
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the number of the epoch that comes next.

        Args:
            epoch: Number of the epoch, from 0.
        """
        self.epoch = epoch

    @override
    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed((1_000_003 * self.seed + self.epoch) % 2**63)
        order: list[int] = torch.randperm(len(self.data_source), generator=generator).tolist()
        self.epoch += 1
        return iter(order)
