"""A fixed number or share of removed features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pear_lightning.functional.coalitions import Uniform, present_players
from pear_lightning.functional.largest import among_largest
from pear_lightning.scoring.subset_laws.base import SubsetLaw


@dataclass(frozen=True)
class FixedSizeLaw(SubsetLaw):
    """The same number of features is removed in every subset; subsets are equally likely.

    Correlations over such subsets do not depend on a constant added to the saliency of all
    features.

    Args:
        size: Number of removed features (int), or their share (float in (0, 1], rounded, at least
            one feature).

    Raises:
        ValueError: If the size is out of range, or, when used, larger than the number of features
            of a sample.
    """

    size: int | float

    def __post_init__(self) -> None:
        """Check the size."""
        if isinstance(self.size, float):
            good = 0 < self.size <= 1
        else:
            good = type(self.size) is int and self.size >= 1
        if not good:
            raise ValueError(
                "size must be a number of features (int, at least 1) or a share of them (float, "
                f"above 0 and up to 1), got {self.size!r}"
            )

    def removed_counts(self, counts: Tensor) -> Tensor:
        """Return how many features are removed from each sample, ``(B,)`` long.

        Args:
            counts: Number of features of each sample, ``(B,)``.
        """
        if isinstance(self.size, float):
            return (self.size * counts.cpu().double()).round().long().clamp(min=1).to(counts.device)
        if len(counts) and self.size > int(counts.min()):
            raise ValueError(
                f"subset_size must be at most {int(counts.min())}, the smallest number of features "
                f"of a sample, got {self.size}; give a share of the features, such as 0.1"
            )
        return torch.full_like(counts, int(self.size))

    def draw(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Tensor:
        """Draw subsets, ``keep (K, B, m)``; see :meth:`SubsetLaw.draw`."""
        present = present_players(counts)
        removed = self.removed_counts(counts)
        numbers = uniform(n_subsets, present.shape[1])
        complete = bool(present.all())
        if not complete:
            numbers = numbers.expand(-1, len(counts), -1).masked_fill(~present, -1)
        keep = ~among_largest(numbers, removed)
        return keep if complete else keep & present

    def probabilities(self, keep: Tensor, counts: Tensor) -> Tensor:
        """Return 1 for subsets of this size, 0 for others, ``(K, B)``."""
        return (counts - keep.sum(dim=-1) == self.removed_counts(counts)).double()
