"""Samples for the training of an explainer, taken batch by batch out of tensors."""

from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.removals import Removals


class Rows(Dataset[dict[str, Any]]):
    """Samples as a mapping of tensors, which are indexed by a batch of numbers.

    Args:
        tensors: Tensors of N rows, by name.
        removals: Stored evaluations of the explained model.
    """

    def __init__(self, tensors: dict[str, Any], removals: Removals | None = None) -> None:
        self.tensors = tensors
        self.removals = removals

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.tensors["inputs"])

    def __getitem__(self, index: Any) -> dict[str, Any]:
        """Return some samples."""
        chosen = torch.as_tensor(index)
        found = {name: each[chosen] for name, each in self.tensors.items()}
        if self.removals is not None:
            found["removals"] = self.removals.rows(chosen).as_dict()
        return found


def as_mapping(batch: Batch) -> dict[str, Any]:
    """Return the tensors of a batch by name."""
    return {"inputs": batch.inputs, **batch.forward_kwargs}


def shuffled(rows: Rows, batch_size: int, seed: int) -> DataLoader[dict[str, Any]]:
    """Return a loader of batches in random order.

    Args:
        rows: The samples.
        batch_size: Samples of a batch.
        seed: Seed of the order.
    """
    generator = torch.Generator().manual_seed(seed)
    sampler = BatchSampler(RandomSampler(rows, generator=generator), batch_size, drop_last=False)
    return DataLoader(rows, sampler=sampler, batch_size=None)
