"""The consensus loss of PEAR."""

import math
import warnings
from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import Explainer
from pear_lightning.explainers.explainer_sets import paper_pair
from pear_lightning.functional.correlation import standardize
from pear_lightning.functional.present_features import check_present, filled_with_mean
from pear_lightning.functional.soft_rank import SoftRankBackend
from pear_lightning.functional.soft_spearman import Normalization, soft_ranks_of_rows
from pear_lightning.functional.unit_rows import unit_rows
from pear_lightning.functional.validation import at_least_float32, check_attributions
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.masking import Masker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import resolve_output, sees_common_shift

Reduction = Literal["mean", "none"]


class ConsensusTerms(NamedTuple):
    """Parts of the consensus loss of each sample.

    Attributes:
        loss: ``C``, ``(B,)``, in [0, 1]; 0 is perfect agreement.
        pearson: Mean Pearson correlation over the pairs, ``(B,)``.
        spearman: Mean soft Spearman correlation over the pairs, ``(B,)``.
    """

    loss: Tensor
    pearson: Tensor
    spearman: Tensor


class ConsensusLoss(AttributionLoss):
    r"""Disagreement of two or more explanations of the same samples.

    .. math:: C = \mu \, \frac{1 - \rho_S}{2} + (1 - \mu) \, \frac{1 - \rho_P}{2}

    :math:`\rho_P` is the Pearson correlation over the features of the signed attributions,
    :math:`\rho_S` the Pearson correlation of the soft ranks of their absolute values; each is
    averaged over all pairs of explanations. With :math:`\mu = 1` an explanation with all signs
    flipped costs nothing, because ranks of absolute values do not depend on signs: keep some
    Pearson weight.

    An explanation that is constant over the features (such as all zeros) has correlation 0 with
    every other explanation and no gradient, so its loss is 1/2. That holds for a sample with a
    single feature, too. Features that a sample lacks, such as the padding of a text, have no part
    in its loss.

    Given a model instead of attributions, the loss explains the target's logit by the paper's two
    explainers, the gradient and the average gradient (from the training mean, 5 query points);
    :meth:`explain_with` sets others. The objective is ``(1 − λ) L + λ C``.

    Args:
        spearman_weight: μ in [0, 1], the share of the Spearman term.
        normalize: ``"max"`` divides each row of absolute attributions by its maximum (a constant
            for the gradient), so that the strength has the same meaning for all samples and
            models. ``"none"`` ranks attributions as they are, as in the paper: rows with large
            attributions then get no gradient from this term (about half of them for the paper's
            Bank Marketing network) and rows with small ones are not ranked at all.
        strength: Regularisation strength of the soft rank, in the units of the ranked values.
            ``None`` means 0.4/n for normalised rows and the paper's 0.2 otherwise. Smaller values
            are closer to hard ranks and give fewer entries a gradient.
        backend: ``"torch"``, or ``"torchsort"`` for the compiled extension of that name.
        reduction: ``"mean"`` over the batch, or ``"none"``.
        masker: Defines the features (patches, tokens, groups of columns) to which attributions are
            pooled before they are compared. ``None`` compares element by element.

    Raises:
        TypeError: If ``masker`` is not a masker.
        ValueError: If a weight, a strength or a name is out of range.

    Shapes:
        - attributions: two or more tensors ``(B, *S)``, flattened to ``(B, n)``
        - output: a scalar, or ``(B,)`` with ``reduction="none"``; float32 or better

    Example:
        >>> import torch
        >>> loss = ConsensusLoss(spearman_weight=0.5)
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2]])
        >>> round(loss(a, 2 * a).item(), 6), round(loss(a, -a).item(), 6)
        (0.0, 0.5)

    References:
        Schwarzschild, Cembalest, Rao, Hines, Dickerson, *Reckoning with the Disagreement Problem:
        Explanation Consensus as a Training Objective*, AIES 2023, arXiv 2303.13299, section 3.

    Deviations from the paper:
        Rows are normalised before ranking (``normalize="none"`` is the paper's form), a constant
        row has correlation 0 instead of NaN, and any number of explanations is supported by
        averaging over pairs.
    """

    trains_half_weights: ClassVar[bool] = False  # ranks of coarse values are mostly ties
    default_weight: ClassVar[float] = 0.5

    def __init__(
        self,
        spearman_weight: float = 0.5,
        *,
        normalize: Normalization = "max",
        strength: float | None = None,
        backend: SoftRankBackend = "torch",
        reduction: Reduction = "mean",
        masker: Masker | None = None,
    ) -> None:
        super().__init__(output="centered_logit")
        self._says_what_is_free = True
        if not isinstance(masker, Masker | None):
            raise TypeError(f"masker must be a Masker, such as PatchMasker(4), got {masker!r}")
        if not 0 <= spearman_weight <= 1:
            raise ValueError(f"spearman_weight must lie in [0, 1], got {spearman_weight}")
        if normalize not in ("max", "none"):
            raise ValueError(f"normalize must be 'max' or 'none', got {normalize!r}")
        if strength is not None and not 0 < strength < math.inf:
            raise ValueError(f"strength must be positive and finite, got {strength}")
        if reduction not in ("mean", "none"):
            raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}")
        self.spearman_weight = spearman_weight
        self.normalize: Normalization = normalize
        self.strength = strength
        self.backend: SoftRankBackend = backend
        self.reduction = reduction
        self.masker = masker

    def default_explainers(self) -> dict[str, Explainer]:
        """Return the two explainers of the PEAR paper, with 5 query points."""
        return paper_pair(n_steps=5)

    def task_weight(self, weight: float) -> float:
        """Return the weight of the task loss, ``1 − λ``.

        Args:
            weight: λ.

        Raises:
            ValueError: If λ is not in [0, 1].
        """
        if not 0 <= weight <= 1:
            raise ValueError(f"weight must lie in [0, 1] for ConsensusLoss, got {weight}")
        return 1 - weight

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar, or ``(B,)`` with ``reduction="none"``.

        Args:
            *attributions: Two or more explanations of the same samples, ``(B, *S)`` each, as
                :func:`~pear_lightning.explainers.explain` returns them.
            mask: Not used.

        Raises:
            ValueError: If there are fewer than two explanations, their shapes differ, or one
                holds NaN or Inf.
        """
        if self.masker is not None:
            attributions = tuple(map(self.masker.pool, attributions))
        return self._reduced(attributions, None)

    @override
    def look_at_logits(self, logits: Tensor, batch: Batch) -> None:
        """Warn once, in training, if a function common to all logits can satisfy the loss."""
        trains = torch.is_grad_enabled() and not torch.compiler.is_compiling()
        if not (self._says_what_is_free and trains):
            return
        self._says_what_is_free = False
        output = resolve_output(self.output)
        if sees_common_shift(output, logits, batch.classes):
            warnings.warn(
                f"ConsensusLoss explains output={self.output!r}, which changes when a function is "
                "added to all logits, although no probability does: the network can make its "
                "explanations agree by such a function, without any change of its decisions. "
                "Compare val_common_share with that of plain training, or use "
                "output='centered_logit'",
                stacklevel=2,
            )

    @override
    def of_attributions(
        self, attributions: Sequence[Tensor], mask: Tensor | None, batch: Batch
    ) -> Tensor:
        if self.masker is not None:  # bound to the batch: it may need more than the attributions
            bound = self.masker.bind(batch.inputs, batch.sample_data, validate=False)
            return self._reduced(list(map(bound.pool, attributions)), bound.present_if_some_lack)
        return self._reduced(attributions, None)

    def _reduced(self, saliency: Sequence[Tensor], present: Tensor | None) -> Tensor:
        loss = self.terms(*saliency, present=present).loss
        if self.reduction == "none":
            return loss
        return loss.mean() if len(loss) else loss.sum()  # 0 for a batch without samples

    def terms(self, *attributions: Tensor, present: Tensor | None = None) -> ConsensusTerms:
        """Return the loss and both correlations of each sample, ``(B,)`` each, without pooling.

        Args:
            *attributions: Two or more explanations of the same samples, ``(B, *S)`` each, or
                pooled to features, ``(B, n)``.
            present: Which features a sample has, ``(B, n)`` bool, such as
                :attr:`BoundMasker.present <pear_lightning.masking.BoundMasker.present>`; ``None``
                for all.

        Raises:
            TypeError: If ``present`` is not bool.
            ValueError: See :meth:`forward`; or if ``present`` has another shape, or a sample
                without features.
        """
        stacked = self._stack(attributions)
        if present is not None:
            check_present("attributions", stacked[0], present)
            stacked = stacked.masked_fill(~present, 0)
        unit = unit_rows(stacked)
        ranks = soft_ranks_of_rows(
            unit if self.normalize == "max" else stacked,
            self.normalize,
            self.strength,
            self.backend,
            present=present,
            validate=False,
        )
        both = torch.stack([unit, ranks], dim=1)  # (E, 2, B, n)
        if present is not None:
            both = filled_with_mean(both, present)
        both = standardize(both, validate=False, any_scale=False)
        pairs = [(left * right).sum(dim=-1) for left, right in combinations(both.unbind(), 2)]
        mean = pairs[0] if len(pairs) == 1 else torch.stack(pairs).mean(dim=0)
        pearson, spearman = mean.unbind()
        agreement = pearson.lerp(spearman, self.spearman_weight)
        return ConsensusTerms((1 - agreement) / 2, pearson, spearman)

    def _stack(self, attributions: Sequence[Tensor]) -> Tensor:
        """Return the explanations as one checked tensor ``(E, B, n)``."""
        if len(attributions) < 2:
            raise ValueError(
                f"attributions must be two or more explanations, got {len(attributions)}"
            )
        first = attributions[0]
        if first.ndim < 2:
            raise ValueError(f"attributions must have the shape (B, *S), got {tuple(first.shape)}")
        for position, each in enumerate(attributions):
            if each.shape != first.shape:
                raise ValueError(
                    "attributions must all have one shape (B, *S), got "
                    f"{tuple(first.shape)} and, at position {position}, {tuple(each.shape)}"
                )
        stacked = torch.stack(list(attributions)).flatten(2)
        check_attributions("attributions", stacked.flatten(0, 1))  # B may be 0
        return at_least_float32(stacked)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"spearman_weight={self.spearman_weight}, normalize={self.normalize!r}, "
            f"strength={self.strength}, backend={self.backend!r}, masker={self.masker}"
        )
