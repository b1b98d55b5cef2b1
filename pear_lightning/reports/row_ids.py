"""The positions of samples in their data set, and values of all processes."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from lightning.pytorch import Trainer
from torch.utils.data.distributed import DistributedSampler

T = TypeVar("T")


def row_ids(loader: Any, start: int, count: int) -> range:
    """Return the positions, in the data set, of samples that a data loader yields in order.

    Args:
        loader: A data loader. A ``DistributedSampler`` gives a process every W-th sample; all other
            loaders are assumed to read their data set in order.
        start: Number of samples that this process has read before.
        count: Number of samples.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> row_ids(DataLoader(range(9), batch_size=2), 4, 2)
        range(4, 6)
        >>> sampler = DistributedSampler(range(9), num_replicas=3, rank=1, shuffle=False)
        >>> row_ids(DataLoader(range(9), batch_size=2, sampler=sampler), 2, 1)
        range(7, 10, 3)
    """
    sampler = getattr(getattr(loader, "batch_sampler", None), "sampler", None)
    if sampler is None:
        sampler = getattr(loader, "sampler", None)
    if not isinstance(sampler, DistributedSampler):
        return range(start, start + count)
    step, first = sampler.num_replicas, sampler.rank
    return range(first + start * step, first + (start + count) * step, step)


def first_loader(loaders: Any) -> Any:
    """Return the first of the data loaders of an evaluation.

    Args:
        loaders: A loader, or a sequence or mapping of loaders.
    """
    if isinstance(loaders, Mapping):
        loaders = list(loaders.values())
    return loaders[0] if isinstance(loaders, Sequence) and loaders else loaders


def gathered(trainer: Trainer, value: T) -> list[T]:
    """Return the values of all processes, in each process; all of them must call it.

    Args:
        trainer: The trainer of the processes.
        value: Value of this process, which must be picklable.
    """
    if trainer.world_size == 1:
        return [value]
    values: list[Any] = [
        trainer.strategy.broadcast(value if rank == trainer.global_rank else None, src=rank)
        for rank in range(trainer.world_size)
    ]
    return values
