"""The share of pairs of features in equal order."""

from typing import Any

from pear_lightning.metrics.agreement.base import AgreementMetric


class PairwiseRankAgreement(AgreementMetric):
    r"""Share of the pairs of features that two explanations order equally, mean over samples.

    .. math::
        \mathrm{PRA} = \binom n2^{-1} \sum_{i<j}
        [\mathrm{sign}(r_i − r_j) = \mathrm{sign}(r'_i − r'_j)]

    with r, r' the ranks of the absolute values; a tie agrees only with a tie.

    ``update`` takes ``attributions_a`` and ``attributions_b``, both ``(B, *S)``, signed and
    floating, and flattens them to ``(B, n)``. ``compute`` returns the mean over samples, a scalar
    in [0, 1], 1/2 by chance; ``sem`` its standard error.

    Args:
        strict: compare [r_i < r_j] for i < j, as published implementations do; with ties the value
            depends on the order of the features.
        chance_corrected: report (m − c)/(1 − c) with c = 1/2, so that chance is 0.
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if a tensor is not floating.
        ValueError: in ``update``, for different shapes, NaN or infinite values,
            or a single feature.

    Example:
        >>> import torch
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> metric = PairwiseRankAgreement()
        >>> metric.update(a, b)
        >>> metric.compute()
        tensor(0.8000)

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """

    measure = "pairwise_rank_agreement"

    def __init__(
        self, *, strict: bool = False, chance_corrected: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(strict=strict, chance_corrected=chance_corrected, **kwargs)
