"""Faithfulness estimate."""

from pear_lightning.functional.faithfulness import faithfulness_estimate
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.faithfulness.single_removal_metric import SingleRemovalMetric
from pear_lightning.scoring.readings import Readings


class FaithfulnessEstimate(SingleRemovalMetric):
    r"""Correlation, over features, of their saliency and the drop when each is removed alone.

    .. math:: \mathrm{FE} = ρ_P\left( s_i, \; f(x) − f(x ∖ \{i\}) \right)_{i ≤ n}

    Higher is better.

    Args:
        masker: Defines the features, and what replaces a removed one.
        n_draws: Number of draws of a random baseline for each feature, over which the drop is
            averaged; other baselines use one.
        chunks: Number of chunks of features, in descending order of saliency, to compare instead of
            single features: DeepFaith's form (Guo et al., ICLR 2026). Sorting makes the sums
            monotone, so these values cannot be compared with those of single features.
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
        >>> metric = FaithfulnessEstimate(ColumnMasker(6), output="logit")
        >>> metric.update(model, inputs, attributions=(inputs * model.weight).detach(), target=0)
        >>> round(metric.compute().item(), 4)
        1.0

    References:
        Alvarez-Melis, Jaakkola, *Towards Robust Interpretability with Self-Explaining Neural
        Networks*, NeurIPS 2018, arXiv 1806.07538.
    """

    metric_name = "faithfulness_estimate"
    higher_is_better = True

    def reduce(self, readings: Readings) -> PerSample:
        """Return the correlation of each row, ``(R,)``."""
        saliency, drops, present = self.saliency_and_drops(readings)
        return faithfulness_estimate(saliency, drops.mean(dim=1), present)
