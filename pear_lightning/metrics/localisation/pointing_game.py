"""The pointing game."""

from torch import Tensor

from pear_lightning.functional.localisation import pointing_game
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.localisation.base import RegionMetric


class PointingGame(RegionMetric):
    r"""Share of samples whose largest attribution lies in the region of the evidence.

    .. math:: [\arg\max_i φ_i ∈ H]

    ``update`` takes ``attributions`` ``(B, *S)`` and ``region`` of the same shape, bool or zeros
    and ones, true = evidence; dimensions of the region may be 1 where one value stands for all (the
    attributions are summed there, as over channels). ``compute`` returns the mean over samples, a
    scalar in [0, 1]; ties share the hit. Samples without a region or with equal attributions are
    left out and counted: ``undefined_share()``.

    A ``region`` marks what must matter; the ``mask`` of ``AttributionInside``,
    ``AttributionOutside`` and ``WrongReason`` marks what must not. A ``MetricCollection`` of both
    kinds takes both, by name: ``update(attributions=a, mask=mask, region=region)``; by position,
    one tensor would be read in both ways. Where only masks were annotated the region is ``~mask``,
    and empty for samples that nobody annotated.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if an argument is no tensor or the attributions are not floating.
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
        A hit must lie inside the region; there it may lie up to 15 pixels outside.
    """

    metric_name = "pointing_game"
    higher_is_better = True

    def score(self, attributions: Tensor, region: Tensor) -> PerSample:
        """Return the score of each sample, without adding the batch; arguments as in ``update``."""
        return pointing_game(attributions, region)
