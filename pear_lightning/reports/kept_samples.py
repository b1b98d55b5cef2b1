"""Chosen samples of an evaluation, kept for pictures."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from pear_lightning.reports.row_ids import first_loader, gathered, row_ids
from pear_lightning.scoring.batch import Batch


class KeptSamples:
    """Finds chosen samples in the batches of an evaluation and keeps them on the CPU.

    Args:
        ids: Positions of the samples in the data set, in the order in which they are wanted.

    Attributes:
        open: Whether samples are still looked for.
        groups: After :meth:`close`, the samples of equal shape: their positions and a batch.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = list(ids)
        self.open = True
        self.groups: list[tuple[list[int], Batch]] = []
        self._seen = 0
        self._found: dict[int, Batch] = {}

    def look_at(self, loaders: Any, batch: Batch) -> None:
        """Keep the chosen samples of a batch.

        Args:
            loaders: The data loaders of the evaluation; the batch comes from the first.
            batch: The next batch of this process.
        """
        ids = row_ids(first_loader(loaders), self._seen, len(batch))
        self._seen += len(batch)
        for number in set(ids) & set(self.ids) - set(self._found):
            row = ids.index(number)
            self._found[number] = batch.rows(slice(row, row + 1)).to("cpu")

    def close(self, trainer: Trainer) -> list[int]:
        """Collect the samples of all processes; all of them must call it.

        Args:
            trainer: The trainer of the processes.

        Returns:
            Positions of samples that no process has read.
        """
        for found in gathered(trainer, self._found):
            self._found = {**found, **self._found}
        self.open = False
        there = [number for number in self.ids if number in self._found]
        # texts are padded to the longest of their batch: equal shapes are explained together
        by_shape = sorted(there, key=lambda number: _shapes(self._found[number]))
        for _, numbers in groupby(by_shape, key=lambda number: _shapes(self._found[number])):
            group = list(numbers)
            self.groups.append((group, _concatenated([self._found[each] for each in group])))
        self._found = {}
        return [number for number in self.ids if number not in there]


def _tensors(batch: Batch) -> dict[str, Tensor]:
    parts = {"inputs": batch.inputs, "target": batch.target}
    named = {f"_{name}": value for name, value in batch.sample_data.items()}
    return {n: value for n, value in {**parts, **named}.items() if isinstance(value, Tensor)}


def _shapes(batch: Batch) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(value.shape)) for name, value in _tensors(batch).items()]


def _concatenated(batches: Sequence[Batch]) -> Batch:
    def joined(values: Sequence[Any]) -> Any:
        return torch.cat(list(values)) if isinstance(values[0], Tensor) else values[0]

    first = batches[0]
    return Batch(
        joined([each.inputs for each in batches]),
        joined([each.target for each in batches]),
        None,  # annotations are not drawn
        {n: joined([each.forward_kwargs[n] for each in batches]) for n in first.forward_kwargs},
        {n: joined([each.masker_kwargs[n] for each in batches]) for n in first.masker_kwargs},
    )
