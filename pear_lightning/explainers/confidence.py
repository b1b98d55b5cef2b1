"""How well an explanation predicts what the model does, from a few evaluations of the model."""

import torch
from torch import Tensor

from pear_lightning.functional.validation import at_least_float32, check_count, check_finite
from pear_lightning.functional.weighted_correlation import weighted_correlation
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputName, resolve_output
from pear_lightning.scoring.removals import remove_subsets
from pear_lightning.scoring.scorer import Forward
from pear_lightning.scoring.subset_laws import SubsetLaw, UniformSizeLaw


class ExplanationConfidence:
    r"""Correlation of the removed saliency and the drop of the output, over a few random subsets.

    .. math:: c(x) = τ\left[ \sum_{i ∈ I_j} φ(x)_i, \; f(x) - f(x ∖ I_j) \right]_{j ≤ k}

    It lies in [-1, 1], and is 1 for the true contributions of a model that is additive in the
    explained scalar. A sample without a correlation (a constant explanation, or a model that does
    not react) has 0. It is the quantity that
    :class:`~pear_lightning.losses.LocalCorrelationLoss` maximises, on subsets that the explainer
    was not trained with.

    Args:
        n_subsets: k, at least 2; each is one evaluation of the model.
        law: Law of the subsets; ``None`` for a uniform number of features.
        output: Explained scalar; with the probability, the confidence agrees best with faithfulness
            metrics, which read it.
        seed: Seed of the subsets; training uses the numbers of its steps, from 0.

    Raises:
        ValueError: If ``n_subsets`` is below 2, the law follows the order of an explanation, or the
            scalar is unknown.

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> f, inputs = torch.nn.Linear(6, 2), torch.rand(3, 6)
        >>> bound = ColumnMasker(6).bind(inputs)
        >>> contributions = inputs * (f.weight[0] - f.weight[1])
        >>> confidence = ExplanationConfidence(output="centered_logit")
        >>> batch = Batch(inputs, torch.zeros(3).long())
        >>> bool((confidence(f, batch, bound, contributions) > 0.999).all())
        True
    """

    def __init__(
        self,
        n_subsets: int = 16,
        law: SubsetLaw | None = None,
        *,
        output: OutputName = "prob",
        seed: int = 2**31,
    ) -> None:
        check_count("n_subsets", n_subsets, least=2)
        self.n_subsets = n_subsets
        self.law = UniformSizeLaw() if law is None else law
        if self.law.ranked:
            raise ValueError(
                "law must not follow the order of an explanation, which all explanations of a "
                f"sample must share, got {self.law}"
            )
        self.output: OutputName = output
        self.scalar = resolve_output(output)
        self.seed = seed

    @torch.no_grad()
    def __call__(
        self, forward: Forward, batch: Batch, bound: BoundMasker, saliency: Tensor
    ) -> Tensor:
        """Return the confidence of each explanation, ``(B,)``.

        Args:
            forward: The explained model.
            batch: The samples; the target is the explained class, ``None`` for the predicted one.
            bound: Their features.
            saliency: The explanations, ``(B, n)``.

        Raises:
            ValueError: If the model or the saliency holds NaN or Inf.
        """
        check_finite("saliency", saliency)
        laws = [(self.law, self.n_subsets)]
        removals = remove_subsets(forward, batch, bound, laws, seed=self.seed)
        if batch.target is None:
            batch = batch.explaining_predicted(removals.original)
        target = batch.classes_among(removals.original.shape[1])
        sums = removals.removed_sums(at_least_float32(saliency))
        drops = removals.drops(self.scalar, target)
        return weighted_correlation(sums, drops, removals.weights).values

    def __repr__(self) -> str:
        """Return the settings."""
        return f"ExplanationConfidence({self.n_subsets}, {self.law!r}, output={self.output!r})"
