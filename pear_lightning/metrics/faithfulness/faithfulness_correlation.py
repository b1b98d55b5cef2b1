"""Faithfulness correlation."""

from pear_lightning.functional.faithfulness import faithfulness_correlation
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.faithfulness.random_subset_metric import RandomSubsetMetric
from pear_lightning.scoring.readings import Readings


class FaithfulnessCorrelation(RandomSubsetMetric):
    r"""Correlation, over random subsets, of the removed saliency and the drop of the output.

    .. math:: \mathrm{FC} = ρ_P\left( \sum_{i ∈ I_j} s_i, \; f(x) − f(x ∖ I_j) \right)_{j ≤ K}

    with :math:`x ∖ I` the sample without the features in I. Higher is better. Only values with the
    same size and number of subsets can be compared. The subsets of a sample are derived from its
    values, so they are the same in every batch and process and for every explanation.

    Args:
        masker: Defines the features, and what replaces a removed one.
        n_subsets: Number of subsets K, each one evaluation of the model.
        subset_size: Size of the subsets: a number of features (int), a share of the sample's
            features (float, at least one feature), ``"bernoulli"``: each feature is removed with
            probability 1/2, which DeepFaith (Guo et al., ICLR 2026) calls infidelity; or
            ``"uniform"``: a uniform number of features, from none to all.
        seed: Seed of the subsets.
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
        >>> metric = FaithfulnessCorrelation(ColumnMasker(6), subset_size=2, output="logit")
        >>> metric.update(model, inputs, attributions=(inputs * model.weight).detach(), target=0)
        >>> round(metric.compute().item(), 4)
        1.0

    References:
        Bhatt, Weller, Moura, *Evaluating and Aggregating Feature-based Model Explanations*, IJCAI
        2020, arXiv 2005.00631.
    """

    metric_name = "faithfulness_correlation"
    higher_is_better = True

    def reduce(self, readings: Readings) -> PerSample:
        """Return the correlation of each row, ``(R,)``."""
        return faithfulness_correlation(
            readings.removed_saliency(self.probe), readings.drops(self.probe)
        )
