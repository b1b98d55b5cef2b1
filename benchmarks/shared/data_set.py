"""A data set in memory."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Rows of a data set.

    Attributes:
        inputs: Images ``(N, 1, 28, 28)`` in [0, 1], table rows ``(N, 7)``, or token ids
            ``(N, 64)``, padded with 0 at the end.
        target: Classes, ``(N,)`` long.
    """

    inputs: Tensor
    target: Tensor

    def __getitem__(self, rows: Tensor) -> "Split":
        """Choose rows."""
        return Split(self.inputs[rows], self.target[rows])


@dataclass(frozen=True)
class Data:
    """A data set.

    Attributes:
        train: Rows to train on.
        test: Rows to test on.
        classes: Number of classes.
        words: The vocabulary of a text data set, by id.
    """

    train: Split
    test: Split
    classes: int
    words: tuple[str, ...] = ()
