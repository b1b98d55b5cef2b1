"""A uniform number of removed features."""

from dataclasses import dataclass

from torch import Tensor

from pear_lightning.functional.coalitions import Uniform, smallest
from pear_lightning.scoring.subset_laws.base import SubsetLaw


@dataclass(frozen=True)
class UniformSizeLaw(SubsetLaw):
    """The number of removed features is uniform on 0 .. n; subsets of one size are equally likely.

    Drawing a threshold t uniformly and removing each feature with probability t gives this law.
    """

    def draw(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Tensor:
        """Draw subsets, ``keep (K, B, m)``; see :meth:`SubsetLaw.draw`."""
        numbers = uniform(n_subsets, int(counts.max()) + 1)
        size = (numbers[..., 0] * (counts + 1)).long().minimum(counts)
        return smallest(numbers[..., 1:], size, counts)

    def probabilities(self, keep: Tensor, counts: Tensor) -> Tensor:
        """Return ``1 / C(n, |I|)``, ``(K, B)``; see :meth:`SubsetLaw.probabilities`."""
        k, n = keep.sum(dim=-1).double(), counts.double()
        return ((k + 1).lgamma() + (n - k + 1).lgamma() - (n + 1).lgamma()).exp()
