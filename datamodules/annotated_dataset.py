"""Inputs, targets and annotation masks held in memory, fetched a whole batch at a time."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

Batch = tuple[Tensor, Tensor, Tensor]


class AnnotatedDataset(Dataset[Batch]):
    """Inputs, targets and annotation masks held in memory, fetched a whole batch at a time.

    Row i is the same sample in every epoch, so what is learnt of a sample (a mask of what the last
    model looked at, say) can be kept by its number, and ``mask`` can be written to between fits.
    Use :func:`~pear_lightning.datamodules.table_dataset.as_batch` as the loader's ``collate_fn``.

    Shapes:
        - ``inputs``: ``(N, *S)`` float
        - ``target``: ``(N,)`` long
        - ``mask``: ``(N, *S)`` bool, true = irrelevant; a row without any is not annotated

    Args:
        inputs: The inputs of all rows.
        target: The class of all rows.
        mask: Which inputs are irrelevant, for each row.

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
                f"inputs has {len(inputs)} rows and target has {len(target)}: as many are expected"
            )
        if mask.shape != inputs.shape:
            raise ValueError(
                f"mask has shape {tuple(mask.shape)} and inputs has {tuple(inputs.shape)}: "
                "equal shapes are expected"
            )
        if mask.dtype != torch.bool:
            raise TypeError(f"mask has dtype {mask.dtype}: bool is expected, true = irrelevant")
        self.inputs = inputs
        self.target = target
        self.mask = mask

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.target)

    def __getitem__(self, index: int) -> Batch:
        """One row: ``(*S)``, a scalar and ``(*S)``."""
        return self.inputs[index], self.target[index], self.mask[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """A batch of rows: ``(B, *S)``, ``(B,)`` and ``(B, *S)``."""
        rows = torch.tensor(indices)
        return self.inputs[rows], self.target[rows], self.mask[rows]
