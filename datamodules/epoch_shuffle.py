"""A sampler whose order depends only on the seed and the epoch."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import RandomSampler
from typing_extensions import override


class EpochShuffle(RandomSampler):
    """Visit all rows in an order determined by the global seed and the epoch.

    A run that resumes in epoch 3 with the same seed visits the rows in the same order as an
    uninterrupted run does in epoch 3, regardless of random numbers drawn before. If no seed is set,
    each process has another one;
    :class:`~pear_lightning.datamodules.resumable_loader.ResumableLoader` therefore restores
    ``seed`` in a run that resumes within an epoch. Lightning calls :meth:`set_epoch`, and replaces
    the sampler by a shuffling ``DistributedSampler`` under DDP. Without calls of :meth:`set_epoch`,
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
        """Set the number of the next epoch.

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
