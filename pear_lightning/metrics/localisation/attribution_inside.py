"""The share of attribution inside a mask."""

from torch import Tensor

from pear_lightning.functional.localisation import attribution_share
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.localisation.base import MaskMetric


class AttributionInside(MaskMetric):
    r"""Share of the absolute attribution inside a mask of what is irrelevant; lower is better.

    .. math:: \frac{\sum_i A_i |φ_i|}{\sum_i |φ_i|}

    ``update`` takes ``attributions`` ``(B, *S)`` and ``mask`` of the same shape, bool or zeros and
    ones, true = irrelevant; dimensions of the mask may be 1 where one value stands for all (the
    attributions are summed there, as over channels). ``compute`` returns the mean over samples, a
    scalar in [0, 1]; a mask of m of n features has m/n by chance. Samples without a mask or with
    attributions 0 are left out and counted: ``undefined_share()``.

    A ``mask`` marks what must not matter; the ``region`` of ``PointingGame``,
    ``RelevanceMassAccuracy`` and ``RelevanceRankAccuracy`` marks what must. A ``MetricCollection``
    of both kinds takes both, by name: ``update(attributions=a, mask=mask, region=region)``; by
    position, one tensor would be read in both ways.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if an argument is no tensor or the attributions are not floating.
        ValueError: in ``update``, for shapes that do not fit, a mask that is not binary, or NaN or
            infinite values.

    Example:
        >>> import torch
        >>> metric = AttributionInside()
        >>> mask = torch.tensor([[True, False, False]])
        >>> metric.update(torch.tensor([[1.0, -2.0, 1.0]]), mask)
        >>> metric.compute()
        tensor(0.2500)
    """

    metric_name = "attribution_inside"
    higher_is_better = False

    def score(self, attributions: Tensor, mask: Tensor) -> PerSample:
        """Return the score of each sample, without adding the batch; arguments as in ``update``."""
        return attribution_share(attributions, mask)
