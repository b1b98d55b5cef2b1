"""The precision at the ranks of the relevant features."""

from torch import Tensor

from pear_lightning.functional.importance import relevance_average_precision
from pear_lightning.metrics.importance.base import RelevanceMetric


class RelevanceAveragePrecision(RelevanceMetric):
    r"""Mean, over the relevant features, of the precision at their rank; mean over runs.

    .. math::
        \mathrm{AP} = \frac1k \sum_{i: r_i = 1}
        \frac{|\{j : r_j = 1, s_j ≥ s_i\}|}{|\{j : s_j ≥ s_i\}|}, \qquad k = \sum_i r_i

    Constant scores get the share of relevant features.

    ``update`` takes ``scores``, ``(d,)`` or ``(R, d)`` for R runs, larger = more important, and
    ``relevance``, ``(d,)`` or like ``scores``, bool or 0 and 1. ``compute`` returns the mean over
    runs, a scalar in (0, 1]; ``sd`` the standard deviation over runs.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if ``scores`` is not floating.
        ValueError: in ``update``, for NaN or infinite scores, shapes that do not fit, or no
            relevant feature.

    Example:
        >>> import torch
        >>> metric = RelevanceAveragePrecision()
        >>> metric.update(torch.tensor([0.4, 0.1, 0.3, 0.2]), torch.tensor([1, 0, 0, 1]))
        >>> metric.compute()
        tensor(0.8333)
    """

    measure = "relevance_average_precision"

    def _values(self, scores: Tensor, relevance: Tensor) -> Tensor:
        return relevance_average_precision(scores, relevance)
