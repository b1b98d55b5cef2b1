"""The share of selected features that are irrelevant."""

from torch import Tensor

from pear_lightning.functional.importance import false_discovery_rate
from pear_lightning.metrics.importance.base import ImportanceMetric


class FalseDiscoveryRate(ImportanceMetric):
    r"""Share of the selected features that are irrelevant, mean over rows.

    .. math::
        \mathrm{FDR} = \sum_i m_i (1 − r_i) \Big/ \sum_i m_i

    with m the selected and r the relevant features. The value of an empty selection is 0, so report
    it together with :class:`~pear_lightning.metrics.TrueDiscoveryRate`.

    ``update`` takes ``selected``, ``(d,)`` or ``(R, d)`` bool for R runs or samples, and
    ``relevance``, ``(d,)`` or like ``selected``, bool or 0 and 1. ``compute`` returns the mean over
    rows, a scalar in [0, 1]; ``sd`` the standard deviation over rows.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if ``selected`` is not bool.
        ValueError: in ``update``, for shapes that do not fit, or a row without a relevant feature.

    Example:
        >>> import torch
        >>> metric = FalseDiscoveryRate()
        >>> metric.update(torch.tensor([0.7, 0.6, 0.1]) > 0.5, torch.tensor([1, 0, 1]))
        >>> metric.compute()
        tensor(0.5000)

    References:
        Yoon, Jordon, van der Schaar, *INVASE: Instance-wise Variable Selection using Neural
        Networks*, ICLR 2019.
    """

    higher_is_better = False
    measure = "false_discovery_rate"

    def update(self, selected: Tensor, relevance: Tensor) -> None:
        """Add rows.

        Args:
            selected: ``(d,)`` or ``(R, d)`` bool.
            relevance: ``(d,)`` or like ``selected``; bool, or 0 and 1.
        """
        self._add_values(false_discovery_rate(selected, relevance).reshape(-1))
