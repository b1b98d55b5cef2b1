"""The share of common top features with equal ranks and signs."""

from typing import Any

from pear_lightning.functional.ranks import Ties
from pear_lightning.metrics.agreement.base import AgreementMetric


class SignedRankAgreement(AgreementMetric):
    r"""Share of the top k features in common at the same rank and sign, mean over samples.

    .. math::
        \mathrm{SRA} = |\{s ∈ \mathrm{top}_k(a) ∩ \mathrm{top}_k(b) :
        \mathrm{rank}_a(s) = \mathrm{rank}_b(s), \mathrm{sign}_a(s) = \mathrm{sign}_b(s)\}| / k

    ``update`` takes ``attributions_a`` and ``attributions_b``, both ``(B, *S)``, signed and
    floating, and flattens them to ``(B, n)``. ``compute`` returns the mean over samples, a scalar
    in [0, 1], 1/(2n) by chance; ``sem`` its standard error.

    Args:
        k: number of features (int), or a fraction of them, rounded up (float). There is no default:
            the value depends on it.
        ties: ranks of equal absolute values: ``"average"``, ``"dense"`` (Krishna et al., OpenXAI)
            or ``"ordinal"`` (Schwarzschild et al.).
        chance_corrected: report (m − c)/(1 − c) with c = 1/(2n), so that chance is 0.
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if a tensor is not floating.
        ValueError: in ``update``, for different shapes, NaN or infinite values, or ``k`` out of
            range.

    Example:
        >>> import torch
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> metric = SignedRankAgreement(k=3)
        >>> metric.update(a, b)
        >>> metric.compute()
        tensor(0.3333)

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """

    measure = "signed_rank_agreement"

    def __init__(
        self,
        k: int | float,
        *,
        ties: Ties = "average",
        chance_corrected: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(k=k, ties=ties, chance_corrected=chance_corrected, **kwargs)
