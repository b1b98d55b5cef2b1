"""Spearman correlation of importance."""

from typing import Any

from pear_lightning.functional.agreement import RankedSaliency
from pear_lightning.functional.ranks import Ties
from pear_lightning.metrics.agreement.base import AgreementMetric


class RankCorrelation(AgreementMetric):
    r"""Spearman correlation of the absolute values of two explanations, mean over samples.

    .. math::
        \mathrm{RC} = ρ_P(\mathrm{rank}(|a|), \mathrm{rank}(|b|))

    A sample with a constant row, whose absolute values are all equal, has no ranking: its value is
    0, and :attr:`constant_rows` counts it.

    ``update`` takes ``attributions_a`` and ``attributions_b``, both ``(B, *S)``, signed and
    floating, and flattens them to ``(B, n)``. ``compute`` returns the mean over samples, a scalar
    in [-1, 1], 0 by chance; ``sem`` its standard error.

    Args:
        ties: ranks of equal absolute values: ``"average"``, ``"dense"`` (Krishna et al., OpenXAI)
            or ``"ordinal"`` (Schwarzschild et al.).
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if a tensor is not floating.
        ValueError: in ``update``, for different shapes, NaN or infinite values.

    Example:
        >>> import torch
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> metric = RankCorrelation()
        >>> metric.update(a, b)
        >>> metric.compute()
        tensor(0.8000)
        >>> metric.update(a, torch.ones_like(a))
        >>> metric.compute(), metric.constant_rows
        (tensor(0.4000), 1)

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """

    measure = "rank_correlation"

    def __init__(self, *, ties: Ties = "average", **kwargs: Any) -> None:
        super().__init__(ties=ties, **kwargs)
        self._add_states(self.measure, {"constant_rows": ()})

    @property
    def constant_rows(self) -> int:
        """Number of samples of this process with a constant explanation."""
        return int(self._state("constant_rows"))

    def _count_rows(self, a: RankedSaliency, b: RankedSaliency) -> None:
        self._add("constant_rows", (a.constant | b.constant).sum())
