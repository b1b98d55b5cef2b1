"""An expensive explainer for the samples where a learned one is poor."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from pear_lightning.explainers.base import Explainer
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward, Scorer

Confidence = Callable[[Forward, Batch, BoundMasker, Tensor], Tensor]
"""Maps the model, samples, their features and saliency ``(B, n)`` to confidences ``(B,)``."""


class Fallback(nn.Module):
    """Explains the samples whose explanation has a low confidence again, with another explainer.

    Args:
        explainer: The other explainer.
        confidence: The confidence of an explanation.
        share: Share of the samples of a call that are explained again, those with the lowest
            confidence, rounded to a number of samples, in [0, 1].
        threshold: Confidence below which a sample is explained again. Unlike with ``share``, the
            explanation of a sample does not depend on the other samples of the call. Exactly one of
            both is given.

    Raises:
        TypeError: If the explainer is not one.
        ValueError: If both or neither of ``share`` and ``threshold`` are given, or out of range.
    """

    def __init__(
        self,
        explainer: Explainer,
        confidence: Confidence,
        *,
        share: float | None = None,
        threshold: float | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(explainer, Explainer):
            raise TypeError(
                "fallback must be an Explainer, such as KernelShap(), got "
                f"{type(explainer).__name__}"
            )
        if (share is None) == (threshold is None):
            raise ValueError(
                "share or threshold must be given with a fallback, exactly one of them, got "
                f"share={share} and threshold={threshold}"
            )
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"share must lie in [0, 1], got {share}")
        if threshold is not None and not -1 <= threshold <= 1:
            raise ValueError(f"threshold must lie in [-1, 1], got {threshold}")
        self.explainer = explainer
        self.confidence = confidence
        self.share = share
        self.threshold = threshold

    def chosen(self, confidence: Tensor) -> Tensor:
        """Return the numbers of the samples that are explained again, in order.

        Args:
            confidence: ``(B,)``.
        """
        if self.threshold is not None:
            return (confidence < self.threshold).nonzero().flatten()
        count = round((self.share or 0.0) * len(confidence))
        return confidence.argsort(stable=True)[:count].sort().values

    def forward(
        self, scorer: Scorer, bound: BoundMasker, saliency: Tensor, attributions: Tensor
    ) -> Tensor:
        """Return attributions in which those of poor explanations are replaced.

        Args:
            scorer: The explained model and the samples.
            bound: Features of the samples.
            saliency: ``(B, n)``.
            attributions: ``(B, *S)``.
        """
        batch = scorer.batch
        rows = self.chosen(self.confidence(scorer.forward, batch, bound, saliency))
        if not len(rows):
            return attributions
        some = batch.rows(rows)
        again = self.explainer(replace(scorer, batch=some), some.inputs).detach()
        found = attributions.to(torch.promote_types(attributions.dtype, again.dtype))
        return found.index_copy(0, rows, again.to(found.dtype))

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"share={self.share}, threshold={self.threshold}, confidence={self.confidence}"
