"""Infidelity."""

from typing import Any

from pear_lightning.functional.faithfulness import infidelity
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.random_subset_metric import RandomSubsetMetric
from pear_lightning.scoring.probes import SubsetSize
from pear_lightning.scoring.readings import Readings


class Infidelity(RandomSubsetMetric):
    r"""Mean squared error, over random subsets, of the removed saliency as a forecast of the drop.

    .. math:: \mathrm{INFD} = \frac{1}{K} \sum_{j ≤ K} \left( β σ_j − Δ_j \right)^2, \qquad
              σ_j = \sum_{i ∈ I_j} s_i, \quad Δ_j = f(x) − f(x ∖ I_j)

    Lower is better. With ``normalize``, β is the number with the smallest error,
    :math:`\sum σ Δ / \sum σ^2`, and the value does not depend on the unit of the saliency. Without
    it, β is 1, and explanations in different units cannot be compared. β may be negative, so with
    ``normalize`` an explanation and its negative have the same value. The unit of the value is the
    square of the unit of the output.

    Attributions must be contributions, which contain ``x - baseline``, such as those of integrated
    gradients, input x gradient or Shapley values. Multiply gradients by ``x - baseline`` first
    (:class:`~pear_lightning.explainers.InputXGradient`).

    The correlation that DeepFaith calls infidelity is
    :class:`~pear_lightning.metrics.FaithfulnessCorrelation` with ``subset_size="bernoulli"``.

    Args:
        masker: Defines the features, and what replaces a removed one.
        n_subsets: Number of subsets K, each one evaluation of the model.
        subset_size: Size of the subsets: a number of features (int), a share of the sample's
            features (float, at least one feature), or ``"bernoulli"``: each feature is removed
            with probability 1/2.
        normalize: Whether to scale the saliency of each sample by its best β.
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
        >>> metric = Infidelity(ColumnMasker(6), output="logit")
        >>> metric.update(model, inputs, attributions=(inputs * model.weight).detach(), target=0)
        >>> bool(metric.compute() < 1e-10)
        True

    References:
        Yeh, Hsieh, Suggala, Inouye, Ravikumar, *On the (In)fidelity and Sensitivity of
        Explanations*, NeurIPS 2019, arXiv 1901.09392, definition 2.1.

    Deviations from the paper:
        Perturbations are removals of random subsets of features. β is that of the authors' code.
    """

    metric_name = "infidelity"
    higher_is_better = False

    def __init__(
        self,
        masker: Masker,
        n_subsets: int = 100,
        subset_size: SubsetSize = 0.1,
        *,
        normalize: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(masker, n_subsets, subset_size, seed=seed, **kwargs)
        self.normalize = normalize

    def reduce(self, readings: Readings) -> PerSample:
        """Return the error of each row, ``(R,)``."""
        return infidelity(
            readings.removed_saliency(self.probe),
            readings.drops(self.probe),
            normalize=self.normalize,
        )
