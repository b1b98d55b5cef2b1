"""The pointing game."""

from torch import Tensor

from pear_lightning.functional.localisation import pointing_game
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.localisation.base import RegionMetric


class PointingGame(RegionMetric):
    r"""Share of samples whose largest attribution lies in the region of the evidence.

    .. math:: [\arg\max_i φ_i ∈ H]

    ``update`` takes ``attributions`` ``(B, *S)`` and ``region`` of the same shape, bool or zeros
    and ones, true = evidence; the region may have size 1 in dimensions that share one value, over
    which attributions are summed, such as channels. ``compute`` returns the mean over samples, a
    scalar in [0, 1]; if several features tie for the largest attribution, a sample scores the share
    of them inside. Samples without a region or with equal attributions are excluded;
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
        >>> metric = PointingGame()
        >>> region = torch.tensor([[True, False, False]])
        >>> metric.update(torch.tensor([[1.0, -2.0, 0.5]]), region)
        >>> metric.compute()
        tensor(1.)

    References:
        Zhang, Bargal, Lin, Brandt, Shen, Sclaroff, *Top-down Neural Attention by Excitation
        Backprop*, IJCV 126, 2018.

    Deviations from the paper:
        A hit must lie inside the region; in the paper it may lie up to 15 pixels outside.
    """

    metric_name = "pointing_game"
    higher_is_better = True

    def score(self, attributions: Tensor, region: Tensor) -> PerSample:
        """Return the score of each sample, without adding the batch; arguments as in ``update``."""
        return pointing_game(attributions, region)
