"""One feature removed at a time."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pear_lightning.functional.coalitions import Uniform, present_players
from pear_lightning.scoring.subset_laws.base import SubsetLaw, Subsets, placed
from pear_lightning.scoring.subset_laws.fixed_size import FixedSizeLaw


@dataclass(frozen=True)
class SingleRemovalLaw(SubsetLaw):
    """One feature is removed, each with the same probability.

    :meth:`subsets` always returns all n subsets once, for any ``n_subsets``.
    """

    def draw(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Tensor:
        """Draw subsets, ``keep (K, B, m)``; see :meth:`SubsetLaw.draw`."""
        return FixedSizeLaw(1).draw(n_subsets, counts, uniform)

    def probabilities(self, keep: Tensor, counts: Tensor) -> Tensor:
        """Return 1 for subsets of one feature, 0 for others, ``(K, B)``."""
        return FixedSizeLaw(1).probabilities(keep, counts)

    def subsets(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Subsets:
        """Return every feature removed alone, K = m; features that a sample lacks have weight 0.

        Args:
            n_subsets: Not used.
            counts: Number of features of each sample, ``(B,)``.
            uniform: Not used.
            ranks: Not used.
        """
        present = present_players(counts)
        others = ~torch.eye(present.shape[1], dtype=torch.bool, device=counts.device)[:, None]
        weights = present.T.cpu().double() / counts.cpu()
        numbers = torch.arange(present.shape[1], device=counts.device)
        return Subsets(others & present, placed(weights, present), numbers)
