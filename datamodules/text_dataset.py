"""Tokenized texts with labels, padded a whole batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

TextBatch = dict[str, Tensor]


@dataclass(frozen=True)
class UntokenizedTexts:
    """Texts with labels, of which some can be held out before anything is fitted to them.

    Attributes:
        texts: The texts.
        target: Classes, ``(N,)`` long.
    """

    texts: list[str]
    target: Tensor

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.texts)

    def subset(self, indices: Sequence[int]) -> "UntokenizedTexts":
        """Return some of the texts.

        Args:
            indices: Indices of the texts.
        """
        rows = list(indices)
        return UntokenizedTexts([self.texts[row] for row in rows], self.target[rows])


class TextDataset(Dataset[TextBatch]):
    """Tokenized texts with labels; each batch is padded to its longest text.

    Use :func:`~pear_lightning.datamodules.table_dataset.as_batch` as the ``collate_fn`` of the
    loader.

    Shapes:
        - ``input_ids``: ``(B, L)`` long
        - ``attention_mask``: ``(B, L)`` long, 1 for a token and 0 for padding
        - ``labels``: ``(B,)`` long

    Args:
        texts: The texts.
        ids: Token ids of each text.
        target: Classes, ``(N,)`` long.
        pad_id: Token id of padding.
        padding_side: ``"right"`` or ``"left"``.

    Raises:
        ValueError: If the numbers of texts and labels differ, or a text has no token.

    Example:
        >>> rows = TextDataset(["a b", "c"], [[5, 6], [7]], torch.tensor([1, 0]))
        >>> rows.__getitems__([1, 0])["input_ids"]
        tensor([[7, 0],
                [5, 6]])
    """

    def __init__(
        self,
        texts: Sequence[str],
        ids: Sequence[Sequence[int]],
        target: Tensor,
        pad_id: int = 0,
        padding_side: Literal["right", "left"] = "right",
    ) -> None:
        if not len(texts) == len(ids) == len(target):
            raise ValueError(
                f"target must have as many rows as texts, {len(texts)}, got {len(target)} and "
                f"{len(ids)} tokenized texts"
            )
        if empty := [number for number, each in enumerate(ids) if not len(each)]:
            raise ValueError(
                f"texts must have at least one token, got {len(empty)} without any, the first "
                f"at row {empty[0]}: {texts[empty[0]]!r}"
            )
        self.texts = list(texts)
        self.target = target
        self.pad_id = pad_id
        self.padding_side = padding_side
        # one tensor, because a list of millions of numbers would be copied to every worker
        lengths = torch.tensor([0, *(len(each) for each in ids)])
        self._ends = lengths.cumsum(0)
        self._ids = torch.tensor([each for text in ids for each in text], dtype=torch.int32)

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.target)

    def ids(self, index: int) -> Tensor:
        """Return the token ids of one text, ``(L,)`` long.

        Args:
            index: Number of the text.
        """
        return self._ids[self._ends[index] : self._ends[index + 1]].long()

    @property
    def lengths(self) -> Tensor:
        """Number of tokens of each text, ``(N,)`` long."""
        return self._ends.diff()

    def __getitem__(self, index: int) -> TextBatch:
        """Return one text, without padding: ``(L,)``, ``(L,)`` and a scalar."""
        return {name: each[0] for name, each in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> TextBatch:
        """Return a batch of texts."""
        rows = [self.ids(index) for index in indices]
        size = (len(rows), max(len(row) for row in rows))
        ids, mask = torch.full(size, self.pad_id), torch.zeros(size, dtype=torch.long)
        for number, row in enumerate(rows):
            if self.padding_side == "left":
                place = slice(size[1] - len(row), None)
            else:
                place = slice(len(row))
            ids[number, place], mask[number, place] = row, 1
        return {"input_ids": ids, "attention_mask": mask, "labels": self.target[indices]}

    def subset(self, indices: Sequence[int]) -> "TextDataset":
        """Return a data set of some of the texts.

        Args:
            indices: Indices of the texts.
        """
        chosen: Any = [int(index) for index in indices]
        return TextDataset(
            [self.texts[index] for index in chosen],
            [self.ids(index).tolist() for index in chosen],
            self.target[chosen],
            self.pad_id,
            self.padding_side,
        )
