"""Prefixes of an explanation's own order."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pear_lightning.functional.coalitions import Uniform, present_players
from pear_lightning.scoring.subset_laws.base import SubsetLaw, Subsets, placed


@dataclass(frozen=True)
class PrefixLaw(SubsetLaw):
    """The most relevant features are removed; their number is uniform on 1 .. n - 1.

    With the order of an explanation itself, these are the copies of the sample on its removal
    curve. From a sample with one feature, this feature is removed.

    Args:
        least_first: Whether the least relevant features are removed instead.
    """

    least_first: bool = False
    ranked: ClassVar[bool] = True

    def draw(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Tensor:
        """Draw subsets, ``keep (K, B, m)``; see :meth:`SubsetLaw.draw`."""
        numbers = uniform(n_subsets, 1)[..., 0]
        removed = 1 + (numbers * (counts - 1)).long().minimum((counts - 2).clamp(min=0))
        return self._prefixes(removed, counts, ranks)

    def probabilities(self, keep: Tensor, counts: Tensor) -> Tensor:
        """Return 1 for every prefix of 1 .. n - 1 features, ``(K, B)``."""
        kept = keep.sum(dim=-1)
        return ((kept < counts) & ((kept > 0) | (counts == 1))).double()

    def subsets(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Subsets:
        """Return all prefixes of a sample with at most ``n_subsets``, or draw prefixes.

        Args:
            n_subsets: Largest number of subsets K.
            counts: Number of features of each sample, ``(B,)``.
            uniform: Source of random numbers.
            ranks: See :meth:`SubsetLaw.draw`.
        """
        lengths = (counts - 1).clamp(min=1)
        enumerable = lengths <= n_subsets
        rows = min(int(lengths.max()), n_subsets)
        numbers = torch.arange(rows, device=counts.device)
        removed = 1 + numbers[:, None]
        # a sample with fewer prefixes repeats its last one
        keep = self._prefixes(removed.minimum(lengths), counts, ranks)
        if not bool(enumerable.all()):
            keep = keep.where(enumerable[:, None], self.draw(rows, counts, uniform, ranks))
        weights = ((removed <= lengths) | ~enumerable).cpu().double()
        return Subsets(keep, placed(weights / weights.sum(dim=0), keep), numbers)

    def _prefixes(self, removed: Tensor, counts: Tensor, ranks: Tensor | None) -> Tensor:
        if ranks is None:
            raise ValueError(
                "ranks must be given for PrefixLaw, whose subsets depend on the explanation, got "
                "None; stored subsets cannot follow this law"
            )
        if self.least_first:
            keep = ranks < (counts - removed)[..., None]
        else:
            keep = ranks >= removed[..., None]
        return keep & present_players(counts)
