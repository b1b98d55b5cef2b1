"""Rows of a table held in memory, fetched a whole batch at a time."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

Batch = tuple[Tensor, Tensor] | Tensor


class TableDataset(Dataset[Batch]):
    """Rows of a table held in memory, fetched a whole batch at a time.

    ``DataLoader`` calls ``__getitems__`` with the indices of a batch if the data set has this
    method. Tensors are then indexed once per batch instead of once per row, and the loader keeps
    its ordinary sampler, which Lightning replaces by a ``DistributedSampler`` under DDP. Use
    :func:`as_batch` as the ``collate_fn`` of the loader, because ``__getitems__`` returns a batch.

    Shapes:
        - ``inputs``: ``(N, n)`` float
        - ``target``: ``(N,)`` long or float

    Args:
        inputs: Features of all rows.
        target: Classes or values of all rows. None for rows without a target, whose batches are
            inputs alone.

    Raises:
        ValueError: If the numbers of rows differ.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> data = TableDataset(torch.eye(3), torch.tensor([0, 1, 0]))
        >>> inputs, target = next(iter(DataLoader(data, batch_size=2, collate_fn=as_batch)))
        >>> inputs.shape, target
        (torch.Size([2, 3]), tensor([0, 1]))
    """

    def __init__(self, inputs: Tensor, target: Tensor | None = None) -> None:
        if target is not None and len(inputs) != len(target):
            raise ValueError(
                f"target must have as many rows as inputs, {len(inputs)}, got {len(target)}"
            )
        self.inputs = inputs
        self.target = target

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.inputs)

    def __getitem__(self, index: int) -> Batch:
        """Return one row: ``(n,)`` and a scalar."""
        if self.target is None:
            return self.inputs[index]
        return self.inputs[index], self.target[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return a batch of rows: ``(B, n)`` and ``(B,)``."""
        rows = torch.tensor(indices)
        if self.target is None:
            return self.inputs[rows]
        return self.inputs[rows], self.target[rows]


def as_batch(batch: Any) -> Any:
    """Return a batch that :meth:`TableDataset.__getitems__` has already collated.

    Example:
        >>> as_batch((torch.ones(2, 3), torch.ones(2)))[0].shape
        torch.Size([2, 3])
    """
    return batch
