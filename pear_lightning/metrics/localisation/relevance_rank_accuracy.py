"""Relevance rank accuracy."""

from torch import Tensor

from pear_lightning.functional.localisation import relevance_rank_accuracy
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.localisation.base import RegionMetric


class RelevanceRankAccuracy(RegionMetric):
    r"""Share of the K largest attributions inside the region of the evidence, K its size.

    .. math:: \frac{|\mathrm{top}_K(φ) ∩ H|}{K}, \qquad K = |H|

    ``update`` takes ``attributions`` ``(B, *S)`` and ``region`` of the same shape, bool or zeros
    and ones, true = evidence; the region may have size 1 in dimensions that share one value, over
    which attributions are summed, such as channels. ``compute`` returns the mean over samples, a
    scalar in [0, 1]; ties share the places at the edge. Samples without a region or with equal
    attributions are excluded; ``undefined_share()`` returns their share.

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
        >>> metric = RelevanceRankAccuracy()
        >>> region = torch.tensor([[True, False, False]])
        >>> metric.update(torch.tensor([[3.0, -2.0, 1.0]]), region)
        >>> metric.compute()
        tensor(1.)

    References:
        Arras, Osman, Samek, *CLEVR-XAI: a benchmark dataset for the ground truth evaluation of
        neural network explanations*, Information Fusion 81, 2022.
    """

    metric_name = "relevance_rank_accuracy"
    higher_is_better = True

    def score(self, attributions: Tensor, region: Tensor) -> PerSample:
        """Return the score of each sample, without adding the batch; arguments as in ``update``."""
        return relevance_rank_accuracy(attributions, region)
