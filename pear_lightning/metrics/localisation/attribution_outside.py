"""The share of attribution outside a mask."""

from torch import Tensor

from pear_lightning.functional.localisation import attribution_share
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.localisation.base import MaskMetric


class AttributionOutside(MaskMetric):
    r"""Share of the absolute attribution outside a mask of irrelevant features; higher is better.

    .. math:: 1 - \frac{\sum_i A_i |φ_i|}{\sum_i |φ_i|}

    ``update`` takes ``attributions`` ``(B, *S)`` and ``mask`` of the same shape, bool or zeros and
    ones, true = irrelevant; the mask may have size 1 in dimensions that share one value, over which
    attributions are summed, such as channels. ``compute`` returns the mean over samples, a scalar
    in [0, 1]; by chance it is 1 − m/n for a mask of m of n features. Samples without a mask, or
    whose attributions are all 0, are excluded; ``undefined_share()`` returns their share.

    A ``mask`` marks features that must not matter; the ``region`` of ``PointingGame``,
    ``RelevanceMassAccuracy`` and ``RelevanceRankAccuracy`` marks features that must. Pass both by
    name to a ``MetricCollection`` of both kinds, ``update(attributions=a, mask=mask,
    region=region)``: by position, one tensor would be used as both.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if an argument is not a tensor or the attributions are not
            floating.
        ValueError: in ``update``, for shapes that do not fit, a mask that is not binary, or NaN or
            infinite values.

    Example:
        >>> import torch
        >>> metric = AttributionOutside()
        >>> mask = torch.tensor([[True, False, False]])
        >>> metric.update(torch.tensor([[1.0, -2.0, 1.0]]), mask)
        >>> metric.compute()
        tensor(0.7500)
    """

    metric_name = "attribution_outside"
    higher_is_better = True

    def score(self, attributions: Tensor, mask: Tensor) -> PerSample:
        """Return the score of each sample, without adding the batch; arguments as in ``update``."""
        inside = attribution_share(attributions, mask)
        return PerSample((1 - inside.values).masked_fill(inside.undefined, 0), inside.undefined)
