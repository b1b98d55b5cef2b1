"""Monotonicity correlation."""

from typing import Any

from pear_lightning.functional.faithfulness import monotonicity_correlation
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.single_removal_metric import SingleRemovalMetric
from pear_lightning.scoring.readings import Readings


class MonotonicityCorrelation(SingleRemovalMetric):
    r"""Rank correlation, over features, of importance and mean squared effect of a replacement.

    .. math:: \mathrm{MC} = ρ_S\left( |s_i|, e_i \right)_{i ≤ n}, \qquad
              e_i = \frac{1}{R} \sum_{r ≤ R} \left( f(x) − f(x ∖_r \{i\}) \right)^2

    with R draws of the replacement. Higher is better. Neither side has a sign, so an explanation
    and its negative have the same value.

    Args:
        masker: Defines the features, and what replaces a removed one; the paper's replacements are
            random, such as ``baseline="uniform"``.
        n_draws: Number of draws R of a random baseline; other baselines use one.
        absolute: Whether to rank absolute values of the saliency.
        chunks: Number of chunks of features, in the order of saliency, to compare instead of single
            features; with ``absolute=False`` this is DeepFaith's form (Guo et al., ICLR 2026).
        **kwargs: ``output``, ``samples_per_pass``, ``progress``; see
            :class:`~pear_lightning.metrics.faithfulness.base.FaithfulnessMetric`.

    Shapes:
        - update: a model, inputs ``(B, *S)``, attributions ``(B, *S)`` or saliency ``(B, n)``,
          target ``(B,)``; see :meth:`update`
        - compute: scalar

    Example:
        >>> import torch
        >>> from pear_lightning.masking import ColumnMasker
        >>> model, inputs = torch.nn.Linear(6, 1), torch.rand(4, 6)
        >>> metric = MonotonicityCorrelation(ColumnMasker(6), output="logit")
        >>> metric.update(model, inputs, attributions=(inputs * model.weight).detach(), target=0)
        >>> round(metric.compute().item(), 4)
        1.0

    References:
        Nguyen, Martínez, *On quantitative aspects of model interpretability*, 2020, arXiv
        2007.07584.

    Deviations from the paper:
        The effects are not divided by f(x)², which does not change ranks.
    """

    metric_name = "monotonicity_correlation"
    higher_is_better = True

    def __init__(
        self,
        masker: Masker,
        *,
        n_draws: int = 10,
        absolute: bool = True,
        chunks: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(masker, n_draws=n_draws, chunks=chunks, **kwargs)
        self.absolute = absolute

    def reduce(self, readings: Readings) -> PerSample:
        """Return the rank correlation of each row, ``(R,)``."""
        saliency, drops, present = self.saliency_and_drops(readings)
        return monotonicity_correlation(saliency, drops, present, absolute=self.absolute)
