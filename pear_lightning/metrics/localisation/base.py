"""Base classes of the metrics of a mask or a region."""

from abc import ABC, abstractmethod

from torch import Tensor

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.exact_sum import exact_means
from pear_lightning.metrics.sample_mean import SampleMean


class LocalisationMetric(SampleMean, ABC):
    """Mean over samples of where the attributions lie; see its subclasses.

    Samples whose value is undefined (nothing is marked, or the attributions point nowhere, which
    each subclass defines) are excluded from the mean: counted as 0, empty explanations would look
    good because they avoid the mask. Report the mean together with their share,
    :meth:`undefined_share`.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    def compute(self) -> Tensor:
        """Return the mean over samples with a value, a float32 scalar; NaN if there are none."""
        count = self._state("count") - self._state("undefined")
        return exact_means(self._state("sum"), count).float()

    @abstractmethod
    def score(self, attributions: Tensor, region: Tensor) -> PerSample:
        """Return the score of each sample, without adding the batch; arguments as in ``update``."""


class MaskMetric(LocalisationMetric, ABC):
    """Mean over samples of a score against a mask of irrelevant features.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    def update(self, attributions: Tensor, mask: Tensor) -> None:
        """Add a batch.

        Args:
            attributions: ``(B, *S)`` floating.
            mask: ``(B, *S)`` bool or zeros and ones, true = irrelevant; it may have size 1 in
                dimensions that share one value (attributions are summed over them), or shape
                ``(B, H, W)`` for images.

        Raises:
            TypeError: if an argument is not a tensor or the attributions are not floating.
            ValueError: for shapes that do not fit, a mask that is not binary, or NaN or infinite
                values.
        """
        self._take(self.score(attributions, mask))


class RegionMetric(LocalisationMetric, ABC):
    """Mean over samples of a score against the region of the evidence.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    def update(self, attributions: Tensor, region: Tensor) -> None:
        """Add a batch.

        Args:
            attributions: ``(B, *S)`` floating.
            region: ``(B, *S)`` bool or zeros and ones, true = evidence (``~mask`` if a mask marks
                what is irrelevant; empty for samples without annotation); it may have size 1 in
                dimensions that share one value (attributions are summed over them), or shape
                ``(B, H, W)`` for images.

        Raises:
            TypeError: if an argument is not a tensor or the attributions are not floating.
            ValueError: for shapes that do not fit, a region that is not binary, or NaN or infinite
                values.
        """
        self._take(self.score(attributions, region))
