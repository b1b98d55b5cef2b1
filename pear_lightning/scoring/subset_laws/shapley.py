"""The Shapley kernel."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pear_lightning.functional.coalitions import (
    Uniform,
    present_players,
    shapley_kernel,
    shapley_sizes,
    smallest,
)
from pear_lightning.scoring.subset_laws.base import SubsetLaw, Subsets


@dataclass(frozen=True)
class ShapleyLaw(SubsetLaw):
    r"""The Shapley kernel: subsets of 1 .. n - 1 features with the weights of KernelSHAP.

    .. math:: p(S) \propto \frac{n - 1}{\binom{n}{|S|} |S| (n - |S|)}

    A sample with one feature has only the empty coalition.

    Args:
        paired: Whether to draw half of the subsets and add their complements, which lowers the
            variance of estimates.
        full_weight: Weight of the removal of all features in :meth:`subsets`, in [0, 1). The kernel
            gives it an infinite weight, which fixes the sum of the Shapley values; with 0, a loss
            that only compares subsets determines them up to a constant added to all features. With
            0.3 to 0.5, a loss without centring comes close to the Shapley values and still
            converges fast.

    Raises:
        ValueError: If ``full_weight`` is out of range.

    References:
        Lundberg, Lee, *A Unified Approach to Interpreting Model Predictions*, NeurIPS 2017,
        arXiv 1705.07874, theorem 2. Pairs: Covert, Lee, *Improving KernelSHAP*, AISTATS 2021,
        arXiv 2012.01536, section 4.
    """

    paired: bool = True
    full_weight: float = 0.0

    def __post_init__(self) -> None:
        """Check the weight."""
        if not 0 <= self.full_weight < 1:
            raise ValueError(f"full_weight must lie in [0, 1), got {self.full_weight}")

    def draw(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Tensor:
        """Draw subsets, ``keep (K, B, m)``; see :meth:`SubsetLaw.draw`."""
        n_draws = (n_subsets + 1) // 2 if self.paired else n_subsets
        numbers = uniform(n_draws, int(counts.max()) + 1)
        keep = smallest(numbers[..., 1:], shapley_sizes(numbers[..., 0], counts), counts)
        if self.paired:
            # a coalition is followed by its complement, so that the first draws are pairs too
            both = torch.stack([keep, ~keep & present_players(counts)], dim=1)
            keep = both.flatten(0, 1)[:n_subsets]
        return keep

    def probabilities(self, keep: Tensor, counts: Tensor) -> Tensor:
        """Return the Shapley kernel, ``(K, B)``; see :meth:`SubsetLaw.probabilities`."""
        only_empty = (counts == 1) & ~keep.any(dim=-1)
        return shapley_kernel(keep, counts).masked_fill(only_empty, 1)

    def subsets(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Subsets:
        """Return subsets as :meth:`SubsetLaw.subsets` does, and the removal of all features last.

        Args:
            n_subsets: Largest number of subsets K, without the removal of all features.
            counts: Number of features of each sample, ``(B,)``.
            uniform: Source of random numbers.
            ranks: Not used.
        """
        drawn = super().subsets(n_subsets, counts, uniform)
        if not self.full_weight:
            return drawn
        keep, weights, numbers = drawn
        weights = torch.cat(
            [(1 - self.full_weight) * weights, torch.full_like(weights[:1], self.full_weight)]
        )
        numbers = torch.cat([numbers, numbers.new_tensor([n_subsets])])
        return Subsets(torch.cat([keep, torch.zeros_like(keep[:1])]), weights, numbers)
