"""Features removed independently."""

from dataclasses import dataclass

from torch import Tensor

from pear_lightning.functional.coalitions import Uniform, present_players
from pear_lightning.scoring.subset_laws.base import SubsetLaw


@dataclass(frozen=True)
class BernoulliLaw(SubsetLaw):
    """Each feature is removed independently with the same probability.

    With probability 1/2, all subsets are equally likely, and the best linear approximation of a
    game under this law has the Banzhaf values as coefficients.

    Args:
        probability: Probability that a feature is removed, in (0, 1).

    Raises:
        ValueError: If the probability is out of range.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        """Check the probability."""
        if not 0 < self.probability < 1:
            raise ValueError(f"probability must lie in (0, 1), got {self.probability}")

    def draw(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Tensor:
        """Draw subsets, ``keep (K, B, m)``; see :meth:`SubsetLaw.draw`."""
        present = present_players(counts)
        keep = uniform(n_subsets, present.shape[1]) < 1 - self.probability
        return keep if bool(present.all()) else keep & present

    def probabilities(self, keep: Tensor, counts: Tensor) -> Tensor:
        """Return ``p^|I| (1 - p)^(n - |I|)``, ``(K, B)``; see :meth:`SubsetLaw.probabilities`."""
        kept = keep.sum(dim=-1).double()
        return self.probability ** (counts - kept) * (1 - self.probability) ** kept
