"""Inputs, targets and annotation masks held in memory, fetched a whole batch at a time."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

Batch = tuple[Tensor, Tensor, Tensor]


class AnnotatedDataset(Dataset[Batch]):
    """Inputs, targets and annotation masks held in memory, fetched a whole batch at a time.

    Row i is the same sample in every epoch, so data about a sample (such as a mask of the features
    that the last model used) can be stored by its index, and ``mask`` can be changed between fits.
    Use :func:`~pear_lightning.datamodules.table_dataset.as_batch` as the ``collate_fn`` of the
    loader.

    Shapes:
        - ``inputs``: ``(N, *S)`` float
        - ``target``: ``(N,)`` long
        - ``mask``: ``(N, *S)`` bool, true = irrelevant; a row without any true entry is not
          annotated

    Args:
        inputs: Inputs of all rows.
        target: Classes of all rows.
        mask: Mask of the irrelevant inputs of each row.

    Raises:
        TypeError: If the mask is not bool.
        ValueError: If the numbers of rows or the shapes of inputs and mask differ.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> from pear_lightning.datamodules.table_dataset import as_batch
        >>> rows = AnnotatedDataset(torch.eye(3), torch.tensor([0, 1, 0]), torch.eye(3).bool())
        >>> _, target, mask = next(iter(DataLoader(rows, batch_size=2, collate_fn=as_batch)))
        >>> target, mask.shape
        (tensor([0, 1]), torch.Size([2, 3]))
    """

    def __init__(self, inputs: Tensor, target: Tensor, mask: Tensor) -> None:
        if len(inputs) != len(target):
            raise ValueError(
                f"target must have as many rows as inputs, {len(inputs)}, got {len(target)}"
            )
        if mask.shape != inputs.shape:
            raise ValueError(
                f"mask must have the shape of inputs, {tuple(inputs.shape)}, got "
                f"{tuple(mask.shape)}"
            )
        if mask.dtype != torch.bool:
            raise TypeError(f"mask must be bool, with true = irrelevant, got {mask.dtype}")
        self.inputs = inputs
        self.target = target
        self.mask = mask

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.target)

    def __getitem__(self, index: int) -> Batch:
        """Return one row: ``(*S)``, a scalar and ``(*S)``."""
        return self.inputs[index], self.target[index], self.mask[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return a batch of rows: ``(B, *S)``, ``(B,)`` and ``(B, *S)``."""
        rows = torch.tensor(indices)
        return self.inputs[rows], self.target[rows], self.mask[rows]

    def subset(self, indices: Sequence[int]) -> "AnnotatedDataset":
        """Return a data set of some of the rows.

        Args:
            indices: Indices of the rows.
        """
        return AnnotatedDataset(*self.__getitems__(list(indices)))
