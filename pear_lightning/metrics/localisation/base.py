"""What the metrics of a mask or a region share."""

from abc import ABC, abstractmethod

from torch import Tensor

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.fixed_point import from_limbs
from pear_lightning.metrics.sample_mean import SampleMean


class LocalisationMetric(SampleMean, ABC):
    """Mean over samples of where their explanations look; see its subclasses.

    Samples that have no value (nothing is marked, or the explanation looks nowhere) are left out of
    the mean: to count them as 0 would praise an explanation that stays out of a mask by being
    empty. :meth:`undefined_share` says how many they are; report it beside the mean.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    def compute(self) -> Tensor:
        """Return the mean over samples that have a value, a float32 scalar; NaN without any."""
        count = self._state("count") - self._state("undefined")
        return (from_limbs(self._state("sum")) / count).float()

    @abstractmethod
    def score(self, attributions: Tensor, region: Tensor) -> PerSample:
        """Return the score of each sample, without adding the batch; arguments as in ``update``."""


class MaskMetric(LocalisationMetric, ABC):
    """Mean over samples of a score against a mask of what is irrelevant.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    def update(self, attributions: Tensor, mask: Tensor) -> None:
        """Add a batch.

        Args:
            attributions: ``(B, *S)`` floating.
            mask: ``(B, *S)`` bool or zeros and ones, true = irrelevant; 1 in dimensions that one
                value stands for (attributions are summed there), or ``(B, H, W)`` for images.

        Raises:
            TypeError: if an argument is no tensor or the attributions are not floating.
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
            region: ``(B, *S)`` bool or zeros and ones, true = evidence (``~mask``, where a mask
                marks what is irrelevant; empty where nobody annotated the sample); 1 in dimensions
                that one value stands for (attributions are summed there), or ``(B, H, W)`` for
                images.

        Raises:
            TypeError: if an argument is no tensor or the attributions are not floating.
            ValueError: for shapes that do not fit, a region that is not binary, or NaN or infinite
                values.
        """
        self._take(self.score(attributions, region))
