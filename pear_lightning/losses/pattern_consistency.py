"""The pattern consistency loss of learned explainers."""

from typing import Literal

import torch
from torch import Tensor, nn

from pear_lightning.functional.masked_correlation import masked_pearson, present_or_all
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.ranks import average_ranks
from pear_lightning.functional.soft_rank import soft_rank
from pear_lightning.functional.validation import (
    at_least_float32,
    check_choice,
    check_finite,
    check_rows,
    check_same_shape,
)
from pear_lightning.functional.weighted_correlation import weighted_correlation

Tau = Literal["pearson", "spearman", "cosine"]


class PatternConsistencyLoss(nn.Module):
    r"""Disagreement of a learned explanation and its supervision.

    .. math:: L_{PC} = \frac{1}{|Z|} \sum_{(x, s) ∈ Z} \left( 1 - τ[φ(x), s] \right)

    Both are signed. With ``half=True`` the loss is divided by 2 and lies in [0, 1], as in the
    authors' code; its variance, which Algorithm 1 compares with a threshold, is then a quarter.

    Args:
        tau: ``"pearson"``; ``"cosine"``, which also compares the zeros of both; or
            ``"spearman"``, the correlation of the soft ranks of φ and the ranks of s.
        half: Whether to divide the loss by 2.
        strength: Strength of the soft rank, as a share of the range of a row; ``None`` means 1/n.
            Smaller values are closer to hard ranks and give fewer features a gradient.

    Raises:
        ValueError: If a name is unknown or a value is out of range.

    Shapes:
        - saliency: ``(B, n)``
        - supervision: ``(B, n)``
        - present: ``(B, n)`` bool, the features that a sample has
        - output: a scalar, float32 or better

    Example:
        >>> loss = PatternConsistencyLoss()
        >>> s = torch.tensor([[0.5, -0.2, 0.1]])
        >>> abs(round(loss(3 * s + 1, s).item(), 4)), round(loss(-s, s).item(), 4)
        (0.0, 2.0)

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026, the
        pattern consistency loss.

    Deviations from the paper:
        Cosine and Spearman's correlation are additions.
    """

    def __init__(
        self, tau: Tau = "pearson", *, half: bool = False, strength: float | None = None
    ) -> None:
        super().__init__()
        check_choice("tau", tau, ("pearson", "spearman", "cosine"))
        if strength is not None and not 0 < strength < 1:
            raise ValueError(f"strength must lie in (0, 1), got {strength}")
        self.tau: Tau = tau
        self.factor = 0.5 if half else 1.0
        self.strength = strength

    def forward(
        self, saliency: Tensor, supervision: Tensor, present: Tensor | None = None
    ) -> Tensor:
        """Return the loss, a scalar.

        Args:
            saliency: φ, ``(B, n)``.
            supervision: s, ``(B, n)``.
            present: Features that a sample has, ``(B, n)`` bool; ``None`` for all.

        Raises:
            TypeError: If a tensor is not floating.
            ValueError: If shapes differ, or a value is NaN or Inf.
        """
        return self.factor * (1 - self.correlations(saliency, supervision, present).values.mean())

    def correlations(
        self, saliency: Tensor, supervision: Tensor, present: Tensor | None = None
    ) -> PerSample:
        """Return τ of each sample, ``(B,)``; 0 and undefined where a row is constant.

        Args:
            saliency: See :meth:`forward`.
            supervision: See :meth:`forward`.
            present: See :meth:`forward`.
        """
        names = ("saliency", "supervision")
        for name, rows in zip(names, (saliency, supervision), strict=True):
            check_rows(name, rows)
            check_finite(name, rows)
        check_same_shape("saliency", saliency, "supervision", supervision)
        supervision = supervision.detach()
        if self.tau == "pearson":
            return masked_pearson(saliency, supervision, present, names=names)
        present = present_or_all(saliency, present, name="saliency")
        if self.tau == "cosine":
            return weighted_correlation(saliency, supervision, present, centered=False)
        ranks = self._soft_ranks(saliency, present)
        of_supervision = average_ranks(supervision.masked_fill(~present, torch.inf))
        found = masked_pearson(ranks, of_supervision.masked_fill(~present, 0), present)
        constant = masked_pearson(saliency.detach(), saliency.detach(), present).undefined
        return PerSample(found.values.masked_fill(constant, 0), found.undefined | constant)

    def _soft_ranks(self, saliency: Tensor, present: Tensor) -> Tensor:
        """Return soft ranks among the features that a sample has, ``(B, n)``."""
        saliency = at_least_float32(saliency)
        known = saliency.detach()
        low = known.masked_fill(~present, torch.inf).amin(dim=1, keepdim=True)
        high = known.masked_fill(~present, -torch.inf).amax(dim=1, keepdim=True)
        width = high - low
        unit = (saliency - low) / width.masked_fill(width == 0, 1)
        # soft ranks of strength s are those of strength 1 of the values divided by s
        counts = present.sum(dim=1, keepdim=True)
        scale = counts if self.strength is None else torch.full_like(counts, 1) / self.strength
        # absent features so far above all others that these keep their ranks
        values = (unit * scale).where(present, scale + saliency.shape[1])
        return soft_rank(values, 1.0, validate=False)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"tau={self.tau!r}, half={self.factor < 1}"
