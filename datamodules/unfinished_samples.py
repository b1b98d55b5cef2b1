"""A sampler of the samples that an interrupted run has not finished."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from torch.utils.data import DistributedSampler
from typing_extensions import override


class UnfinishedSamples(DistributedSampler[Any]):
    """Visit the samples that are not finished, in batches that are the same in every run.

    The samples are divided into batches of consecutive ones, which are dealt to the processes in
    turn. A run that continues another visits the batches that are left, with the same samples in
    each, so that its results are the same to the last bit; they also do not depend on the number of
    processes. Lightning leaves a ``DistributedSampler`` as it is.

    Args:
        dataset: The data set.
        samples: Positions of the samples to visit.
        finished: Positions of those that are finished.
        batch_size: Number of samples of a batch.
        num_replicas: Number of processes.
        rank: Number of this process.

    Example:
        >>> list(UnfinishedSamples(range(9), range(9), {0, 1}, 2, num_replicas=2, rank=0))
        [4, 5, 8]
    """

    def __init__(
        self,
        dataset: Any,
        samples: Sequence[int],
        finished: Collection[int],
        batch_size: int,
        *,
        num_replicas: int,
        rank: int,
    ) -> None:
        super().__init__(dataset, num_replicas, rank, shuffle=False)
        mine = range(rank * batch_size, len(samples), num_replicas * batch_size)
        batches = (samples[start : start + batch_size] for start in mine)
        self.remaining = [each for batch in batches for each in batch if each not in finished]

    @override
    def __iter__(self) -> Iterator[int]:
        return iter(self.remaining)

    @override
    def __len__(self) -> int:
        return len(self.remaining)
