"""The agreement of the scores of several runs."""

from typing import Any

from torch import Tensor

from pear_lightning.functional.agreement import check_k
from pear_lightning.functional.importance_agreement import (
    StabilityName,
    check_stability,
    pairwise_stability,
)
from pear_lightning.metrics.importance.base import ImportanceMetric, as_runs


class ImportanceStability(ImportanceMetric):
    r"""Agreement of the scores of several runs, mean over all pairs of runs.

    .. math::
        \binom R2^{-1} \sum_{i<j} \mathrm{measure}(s_i, s_j)

    Each ``update`` takes one group of runs to compare with each other: the same data and model with
    different seeds, or with different bootstrap samples of the rows (report which). Runs of
    different updates or processes are not compared; the mean is over all pairs of all groups.

    ``update`` takes ``scores`` ``(R, d)``, R >= 2, floating, larger = more important. ``compute``
    returns a scalar; ``sd`` the standard deviation over pairs, which are not independent.

    Args:
        of: the measure: ``"spearman"``, ``"kendall"`` (both are 0 for constant scores),
            ``"top_k_overlap"``, ``"jaccard_at_k"``, or ``"kuncheva_index"``, which is 0 by chance
            for every k.
        k: for the last three, the number of top features (int), or a fraction of them, rounded up
            (float).
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        TypeError: in ``update``, if ``scores`` is not floating.
        ValueError: for an unknown measure or a missing ``k``; in ``update``, for fewer than two
            runs, NaN or infinite values, or ``k`` out of range.

    Example:
        >>> import torch
        >>> metric = ImportanceStability("jaccard_at_k", k=1)
        >>> metric.update(torch.tensor([[3.0, 2.0, 1.0], [5.0, 4.0, 0.0], [1.0, 2.0, 3.0]]))
        >>> metric.compute()
        tensor(0.3333)

    References:
        Kuncheva, *A stability index for feature selection*, AIA 2007.
    """

    measure = "importance_stability"

    def __init__(
        self, of: StabilityName = "spearman", k: int | float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_stability(of, k)
        self.of: StabilityName = of
        check_k("k", k)
        self.k = k

    def update(self, scores: Tensor) -> None:
        """Add a group of runs.

        Args:
            scores: ``(R, d)`` floating, R >= 2.
        """
        self._add_values(pairwise_stability(as_runs("scores", scores), self.of, self.k))
