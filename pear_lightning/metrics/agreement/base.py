"""Base class of the six agreement metrics."""

from abc import ABC
from typing import Any, ClassVar

import torch
from torch import Tensor

from pear_lightning.functional.agreement import (
    AgreementName,
    RankedSaliency,
    agreement_of_ranked,
    chance_corrected,
    chance_level,
    check_k,
    rank_saliency,
)
from pear_lightning.functional.ranks import TIES, Ties
from pear_lightning.functional.validation import (
    check_attributions,
    check_choice,
    check_same_shape,
)
from pear_lightning.metrics.agreement.comparable import comparable
from pear_lightning.metrics.exact_states import ExactStates
from pear_lightning.metrics.fixed_point import from_fixed_point, to_fixed_point


class AgreementMetric(ExactStates, ABC):
    """Mean over samples of one measure of agreement; see its subclasses.

    States are sums over samples, so the result does not depend on the number of processes.

    Args:
        k: size of the top k, for the measures that have one: a number of features (int) or a
            fraction of them, rounded up (float).
        ties: ranks of equal absolute values; see
            :func:`~pear_lightning.functional.agreement.rank_agreement`.
        strict: see :func:`~pear_lightning.functional.agreement.pairwise_rank_agreement`.
        chance_corrected: whether to rescale so that chance is 0 and full agreement 1.
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    measure: ClassVar[AgreementName]

    def __init__(
        self,
        k: int | float | None = None,
        ties: Ties = "average",
        strict: bool = False,
        chance_corrected: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("ties", ties, TIES)
        check_k("k", k)
        self.k = k
        self.ties: Ties = ties
        self.strict = strict
        self.chance_corrected = chance_corrected
        self._add_states(self.measure, {"sum": (), "square_sum": (), "count": ()})

    def update(
        self, attributions_a: Tensor, attributions_b: Tensor, present: Tensor | None = None
    ) -> None:
        """Add a batch.

        Args:
            attributions_a: ``(B, *S)`` floating, signed; flattened to ``(B, n)``.
            attributions_b: the same shape, another explanation of the same samples.
            present: ``(B, n)`` bool, the features that a sample has, such as
                :attr:`BoundMasker.present <pear_lightning.masking.BoundMasker.present>`; None for
                all. See :func:`comparable`.

        Raises:
            TypeError: if an argument is not floating, or ``present`` not bool.
            ValueError: for different shapes, NaN or infinite values, ``k`` above n, or a sample
                without features.
        """
        check_attributions("attributions_a", attributions_a)
        check_attributions("attributions_b", attributions_b)
        check_same_shape("attributions_a", attributions_a, "attributions_b", attributions_b)
        both = torch.stack([attributions_a.detach(), attributions_b.detach()]).flatten(2)
        both, present = comparable(both, present, self.k)
        a, b = (
            rank_saliency(each, self.k, ties=self.ties, name="attributions", present=present)
            for each in both
        )
        values = agreement_of_ranked(self.measure, a, b, strict=self.strict)
        if self.chance_corrected:
            values = chance_corrected(values, self._chance(both.shape[-1], present))
        self._add("sum", to_fixed_point(values).sum())
        self._add("square_sum", to_fixed_point(values.square()).sum())
        self._add("count", torch.tensor(len(values)))
        self._count_rows(a, b)

    def compute(self) -> Tensor:
        """Return the mean over all samples, a float32 scalar; NaN if there were none."""
        return (from_fixed_point(self._state("sum")) / self._state("count")).float()

    def sem(self) -> Tensor:
        """Return the standard error of the mean, a float32 scalar; NaN for fewer than two samples.

        In a distributed run it covers the samples of all processes, and every process must call it.
        """
        with self._synced():
            count = self._state("count")
            mean = from_fixed_point(self._state("sum")) / count
            mean_square = from_fixed_point(self._state("square_sum")) / count
        # rounding can take the variance of equal values below zero
        variance = (mean_square - mean.square()).clamp(min=0) * count / (count - 1)
        error = (variance / count).sqrt().float()
        return error if count > 1 else torch.full_like(error, torch.nan)

    def _chance(self, n: int, present: Tensor | None) -> float | Tensor:
        """Return the chance level, or one for each sample if samples lack features."""
        if present is None:
            return chance_level(self.measure, n, self.k)
        counts = present.sum(dim=-1).tolist()
        k = self.k
        levels = [
            chance_level(self.measure, each, min(k, each) if isinstance(k, int) else k)
            for each in counts
        ]
        return torch.tensor(levels, dtype=torch.float64, device=present.device)

    def _count_rows(self, a: RankedSaliency, b: RankedSaliency) -> None:
        """Count rows of a special kind; none by default."""
