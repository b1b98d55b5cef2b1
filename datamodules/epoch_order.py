"""A sampler in the order of the rows that knows the epoch."""

from typing import Any

from torch.utils.data import SequentialSampler


class EpochOrder(SequentialSampler):
    """Visit all rows in their order, and hold the number of the epoch for a batch sampler.

    Lightning calls :meth:`set_epoch`, also in a run that is resumed.

    Args:
        rows: The data set.

    Example:
        >>> sampler = EpochOrder(range(3))
        >>> sampler.set_epoch(2)
        >>> list(sampler), sampler.epoch
        ([0, 1, 2], 2)
    """

    def __init__(self, rows: Any) -> None:
        super().__init__(rows)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch.

        Args:
            epoch: Number of the epoch, from 0.
        """
        self.epoch = epoch
