"""The terms of the local correlation loss, and its presets."""

from dataclasses import dataclass

from pear_lightning.functional.validation import check_count, check_number
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.subset_laws import (
    BernoulliLaw,
    FixedSizeLaw,
    SingleRemovalLaw,
    SubsetLaw,
    UniformSizeLaw,
)


@dataclass(frozen=True)
class CorrelationTerm:
    """One term of the :class:`~pear_lightning.losses.LocalCorrelationLoss`.

    Args:
        law: Law of the removed subsets.
        weight: Weight of the term, above 0; the loss divides by the sum of the weights.
        output: Δ is the drop of this scalar of the logits; see
            :func:`~pear_lightning.explainers.explain`.
        centered: Whether τ is Pearson's correlation; otherwise it is the cosine, which also fixes
            the zero of the saliency: a feature without effect gets saliency 0.
        n_subsets: k, the largest number of subsets of a sample. Not used by
            :class:`~pear_lightning.scoring.SingleRemovalLaw`, which removes each feature once.

    Raises:
        ValueError: If a value is out of range.
    """

    law: SubsetLaw
    weight: float = 1.0
    output: OutputName | OutputFunction = "prob"
    centered: bool = True
    n_subsets: int = 16

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not isinstance(self.law, SubsetLaw):
            raise TypeError(f"law must be a SubsetLaw, such as BernoulliLaw(), got {self.law!r}")
        check_number("weight", self.weight)
        if not self.weight:
            raise ValueError("weight must be above 0, got 0; leave the term out")
        check_count("n_subsets", self.n_subsets)
        resolve_output(self.output)


_SINGLE = SingleRemovalLaw()
PRESETS: dict[str, tuple[CorrelationTerm, ...]] = {
    "paper": (CorrelationTerm(BernoulliLaw(), n_subsets=10),),
    "table": (
        CorrelationTerm(UniformSizeLaw(), 1.0, "centered_logit"),
        CorrelationTerm(UniformSizeLaw(), 1.0),
        CorrelationTerm(FixedSizeLaw(0.43), 0.5),
        CorrelationTerm(_SINGLE, 0.3, centered=False),
    ),
    "image": (
        CorrelationTerm(BernoulliLaw(), 1.0),
        CorrelationTerm(FixedSizeLaw(0.1), 0.15),
        CorrelationTerm(_SINGLE, 0.15, centered=False),
    ),
    "text": (
        CorrelationTerm(UniformSizeLaw(), 1.0, "centered_logit"),
        CorrelationTerm(UniformSizeLaw(), 1.0),
        CorrelationTerm(FixedSizeLaw(0.1), 0.5),
        CorrelationTerm(_SINGLE, 0.3, centered=False),
    ),
}
