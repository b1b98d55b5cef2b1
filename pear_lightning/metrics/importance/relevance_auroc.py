"""Whether relevant features score above irrelevant ones."""

from torch import Tensor

from pear_lightning.functional.importance import relevance_auroc
from pear_lightning.metrics.importance.base import RelevanceMetric


class RelevanceAUROC(RelevanceMetric):
    r"""Probability that a relevant feature scores above an irrelevant one, mean over runs.

    .. math::
        \mathrm{AUROC} = \frac{\sum_{i: r_i = 1} \mathrm{rank}_i − k (k + 1)/2}{k (d − k)},
        \qquad k = \sum_i r_i

    Ties count half, so constant scores get 0.5.

    ``update`` takes ``scores``, ``(d,)`` or ``(R, d)`` for R runs, larger = more important, and
    ``relevance``, ``(d,)`` or like ``scores``, bool or 0 and 1. ``compute`` returns the mean over
    runs, a scalar in [0, 1]; ``sd`` the standard deviation over runs.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if ``scores`` is not floating.
        ValueError: in ``update``, for NaN or infinite scores, shapes that do not fit, no relevant
            feature, or no irrelevant one.

    Example:
        >>> import torch
        >>> metric = RelevanceAUROC()
        >>> metric.update(torch.tensor([0.4, 0.1, 0.3, 0.2]), torch.tensor([1, 0, 0, 1]))
        >>> metric.compute()
        tensor(0.7500)
    """

    measure = "relevance_auroc"

    def _values(self, scores: Tensor, relevance: Tensor) -> Tensor:
        return relevance_auroc(scores, relevance)
