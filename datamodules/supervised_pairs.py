"""Samples next to explanations of them, fetched a whole batch at a time."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import Dataset

from pear_lightning.datamodules.ragged import ragged
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.fingerprint import fingerprint, leading_padding

if TYPE_CHECKING:
    from datasets import Dataset as Rows

Collate = Callable[[Any], Any]

# features that a sample lacks are kept and have no saliency; weight 0 marks missing subsets
_REMOVALS = {"keep": True, "logits": 0.0, "original": 0.0, "weights": 0.0, "laws": 0}


def fetch(samples: Any, collate: Collate, indices: Sequence[int]) -> Batch:
    """Return some samples of a data set as a batch, as a ``DataLoader`` does.

    Args:
        samples: A map-style data set.
        collate: Its collate function.
        indices: Positions of the samples.
    """
    if hasattr(samples, "__getitems__"):
        return Batch.of(collate(samples.__getitems__(list(indices))))
    return Batch.of(collate([samples[index] for index in indices]))


class SupervisedPairs(Dataset[dict[str, Any]]):
    """Pairs of a sample and an explanation of it, fetched a whole batch at a time.

    Args:
        samples: The data set of the samples; ids are positions in it.
        collate: Collates samples to a batch that
            :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads.
        rows: Explained samples, from
            :meth:`~pear_lightning.training.supervision_store.SupervisionStore.read`.
        chosen: Numbers of the rows that are used.
        with_removals: Whether batches have the stored evaluations of the explained model.
    """

    def __init__(
        self,
        samples: Any,
        collate: Collate,
        rows: "Rows",
        chosen: Sequence[int],
        *,
        with_removals: bool,
    ) -> None:
        self.samples, self.collate, self.with_removals = samples, collate, with_removals
        names = ["id", "fingerprint", "target", "saliency"]
        names += _REMOVALS if with_removals else ()
        self._rows = rows.select_columns(names).with_format("arrow")
        counts = [len(methods) for methods in rows["methods"]]
        pairs = [(row, number) for row in chosen for number in range(counts[row])]
        self._pairs = torch.tensor(pairs, dtype=torch.long).view(-1, 2)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self._pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a batch of one pair."""
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> dict[str, Any]:
        """Return a batch: the parts of the samples, ``supervision`` and ``removals``.

        ``supervision`` is ``(B, n)``, and ``supervision_target`` ``(B,)`` is the class that it
        explains.

        Raises:
            ValueError: If a sample is not the one that was explained.
        """
        rows, numbers = self._pairs[indices].unbind(dim=1)
        used, place = rows.unique(return_inverse=True)
        table = self._rows[used.tolist()]
        ids = torch.tensor(table["id"].to_pylist())[place]
        read = fetch(self.samples, self.collate, ids.tolist())
        changed = fingerprint(read) != torch.tensor(table["fingerprint"].to_pylist())[place]
        if bool(changed.any()):
            raise ValueError(
                "data must be those that were explained, got another sample "
                f"{int(ids[changed][0])}; use the same data, split and seed, without random "
                "augmentation, and batches of padded texts with an attention_mask, or explain them "
                "again in another folder"
            )
        batch: dict[str, Any] = {
            name: value
            for name in ("inputs", "target", "mask", "forward_kwargs", "masker_kwargs")
            if (value := getattr(read, name)) is not None
        }
        before = leading_padding(read)
        supervision = ragged(table["saliency"], 0.0)[place, numbers]
        batch["supervision"] = _behind_padding(supervision, read, before, 0.0)
        batch["supervision_target"] = torch.tensor(table["target"].to_pylist())[place]
        if self.with_removals:
            removals = {
                name: ragged(table[name], padding)[place] for name, padding in _REMOVALS.items()
            }
            removals["keep"] = _behind_padding(removals["keep"], read, before, True)
            batch["removals"] = removals
        return batch


def _behind_padding(
    values: torch.Tensor, read: Batch, before: torch.Tensor | None, fill: float
) -> torch.Tensor:
    """Return values ``(B, ..., m)`` of features with those of each text behind its padding."""
    if before is None or not bool(before.any()):
        return values
    width = read.inputs.shape[1]
    index = torch.arange(width) - before[:, None]  # of the value that belongs to a position
    inside = (index >= 0) & (index < values.shape[-1])
    shape = (len(values), *(1 for _ in values.shape[1:-1]), width)
    index = index.clamp(0, values.shape[-1] - 1).view(shape).expand(*values.shape[:-1], width)
    return values.gather(-1, index).masked_fill(~inside.view(shape), fill)
