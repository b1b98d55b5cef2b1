"""Relevance mass accuracy."""

from torch import Tensor

from pear_lightning.functional.localisation import relevance_mass_accuracy
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.localisation.base import RegionMetric


class RelevanceMassAccuracy(RegionMetric):
    r"""Share of the positive attribution inside the region of the evidence; higher is better.

    .. math:: \frac{\sum_i H_i \max(φ_i, 0)}{\sum_i \max(φ_i, 0)}

    ``update`` takes ``attributions`` ``(B, *S)`` and ``region`` of the same shape, bool or zeros
    and ones, true = evidence; the region may have size 1 in dimensions that share one value, over
    which attributions are summed, such as channels. ``compute`` returns the mean over samples, a
    scalar in [0, 1]. Samples without a region or without a positive attribution are excluded;
    ``undefined_share()`` returns their share.

    A ``region`` marks features that must matter; the ``mask`` of ``AttributionInside``,
    ``AttributionOutside`` and ``WrongReason`` marks features that must not. Pass both by name to a
    ``MetricCollection`` of both kinds, ``update(attributions=a, mask=mask, region=region)``: by
    position, one tensor would be used as both. If only masks are annotated, the region is
    ``~mask``, and empty for samples without annotation.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if an argument is not a tensor or the attributions are not
            floating.
        ValueError: in ``update``, for shapes that do not fit, a region that is not binary, or NaN
            or infinite values.

    Example:
        >>> import torch
        >>> metric = RelevanceMassAccuracy()
        >>> region = torch.tensor([[True, False, False]])
        >>> metric.update(torch.tensor([[3.0, -2.0, 1.0]]), region)
        >>> metric.compute()
        tensor(0.7500)

    References:
        Arras, Osman, Samek, *CLEVR-XAI: a benchmark dataset for the ground truth evaluation of
        neural network explanations*, Information Fusion 81, 2022.

    Deviations from the paper:
        Channels are summed before negative values are set to 0; the paper compares several poolings
        whose results are not negative.
    """

    metric_name = "relevance_mass_accuracy"
    higher_is_better = True

    def score(self, attributions: Tensor, region: Tensor) -> PerSample:
        """Return the score of each sample, without adding the batch; arguments as in ``update``."""
        return relevance_mass_accuracy(attributions, region)
