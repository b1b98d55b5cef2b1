"""The top features that scores share with a reference importance."""

from typing import Any

from torch import Tensor

from pear_lightning.functional.agreement import check_k
from pear_lightning.functional.importance_agreement import top_k_overlap
from pear_lightning.metrics.importance.base import ReferenceMetric


class TopKOverlap(ReferenceMetric):
    r"""Share of the top k features that scores and a reference have in common, mean over runs.

    .. math::
        |\mathrm{top}_k(s) ∩ \mathrm{top}_k(s')| / k

    Scores that tie at the edge of the top k share the remaining places. For single explanations,
    which are signed, use :class:`~pear_lightning.metrics.FeatureAgreement`.

    ``update`` takes ``scores``, ``(d,)`` or ``(R, d)`` for R runs, larger = more important, and
    ``reference``, ``(d,)`` for all runs or like ``scores``, floating. ``compute`` returns the mean
    over runs, a scalar in [0, 1], k/d by chance; ``sd`` the standard deviation over runs.

    Args:
        k: number of features (int), or a fraction of them, rounded up (float). There is no default:
            the value depends on it.
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if an argument is not floating.
        ValueError: in ``update``, for NaN or infinite values, shapes that do not fit, or ``k`` out
            of range.

    Example:
        >>> import torch
        >>> metric = TopKOverlap(k=2)
        >>> metric.update(torch.tensor([0.4, 0.3, 0.2, 0.1]), torch.tensor([0.9, 0.2, 0.4, 0.3]))
        >>> metric.compute()
        tensor(0.5000)
    """

    measure = "top_k_overlap"

    def __init__(self, k: int | float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_k("k", k)
        self.k = k

    def _values(self, scores: Tensor, reference: Tensor) -> Tensor:
        return top_k_overlap(scores, reference, self.k)
