"""The share of relevant features among those with the largest scores."""

from typing import Any

from torch import Tensor

from pear_lightning.functional.agreement import check_k
from pear_lightning.functional.importance import precision_at_k
from pear_lightning.metrics.importance.base import RelevanceMetric


class PrecisionAtK(RelevanceMetric):
    r"""Share of relevant features among the k with the largest scores, mean over runs.

    .. math::
        P@k = \frac1k \sum_{i ∈ \mathrm{top}_k(s)} r_i, \qquad k = \sum_i r_i
        \text{ unless said otherwise}

    Scores that tie at the edge of the top k share the remaining places, so constant scores get the
    share of relevant features.

    ``update`` takes ``scores``, ``(d,)`` or ``(R, d)`` for R runs, larger = more important, and
    ``relevance``, ``(d,)`` or like ``scores``, bool or 0 and 1. ``compute`` returns the mean over
    runs, a scalar in [0, 1]; ``sd`` the standard deviation over runs.

    Args:
        k: number of features (int), a fraction of them, rounded up (float), or None for the number
            of relevant features.
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if ``scores`` is not floating.
        ValueError: in ``update``, for NaN or infinite scores, shapes that do not fit, ``k`` out of
            range, or no relevant feature.

    Example:
        >>> import torch
        >>> metric = PrecisionAtK()
        >>> runs = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.4, 0.1, 0.3, 0.2]])
        >>> metric.update(runs, torch.tensor([True, True, False, False]))
        >>> metric.compute(), metric.sd()
        (tensor(0.7500), tensor(0.2500))
    """

    measure = "precision_at_k"

    def __init__(self, k: int | float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_k("k", k)
        self.k = k

    def _values(self, scores: Tensor, relevance: Tensor) -> Tensor:
        return precision_at_k(scores, relevance, self.k)
