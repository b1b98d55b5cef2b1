"""Kendall correlation of scores with a reference importance."""

from torch import Tensor

from pear_lightning.functional.importance_agreement import kendall
from pear_lightning.metrics.importance.base import CorrelationMetric


class ImportanceKendall(CorrelationMetric):
    r"""Kendall correlation of scores with a reference importance, mean over runs.

    .. math::
        τ_b = \frac{P − Q}{\sqrt{(P + Q + T_s)(P + Q + T_{s'})}}

    with P and Q the numbers of pairs of features in the same and in opposite order, and
    :math:`T_s` and :math:`T_{s'}` the numbers of pairs that tie only in s or only in s'.

    Values are compared with their signs. A run with constant scores or a constant reference has no
    ranking: its value is 0, and :attr:`constant_rows` counts it.

    ``update`` takes ``scores``, ``(d,)`` or ``(R, d)`` for R runs, larger = more important, and
    ``reference``, ``(d,)`` for all runs or like ``scores``, floating, such as mean absolute SHAP
    values. ``compute`` returns the mean over runs, a scalar in [-1, 1]; ``sd`` the standard
    deviation over runs.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if an argument is not floating.
        ValueError: in ``update``, for NaN or infinite values, or shapes that do not fit.

    Example:
        >>> import torch
        >>> metric = ImportanceKendall()
        >>> metric.update(torch.tensor([0.4, 0.3, 0.2, 0.1]), torch.tensor([0.9, 0.2, 0.4, 0.3]))
        >>> metric.compute()
        tensor(0.3333)
        >>> metric.update(torch.ones(4), torch.tensor([0.9, 0.2, 0.4, 0.3]))
        >>> metric.constant_rows
        1
    """

    measure = "importance_kendall"

    def _correlation(self, scores: Tensor, reference: Tensor) -> Tensor:
        return kendall(scores, reference)
