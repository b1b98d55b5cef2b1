"""The local correlation loss of learned explainers."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import (
    at_least_float32,
    check_count,
    check_finite,
    trusted_values,
)
from pear_lightning.functional.weighted_correlation import weighted_correlation
from pear_lightning.losses.correlation_term import PRESETS, CorrelationTerm
from pear_lightning.masking import Masker
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OF_SEVERAL_CLASSES, resolve_output
from pear_lightning.scoring.removals import Removals, law_code, remove_subsets
from pear_lightning.scoring.scorer import Forward
from pear_lightning.scoring.subset_laws import SubsetLaw

Preset = Literal["paper", "table", "image", "text"]


class LocalCorrelationLoss(nn.Module):
    r"""Correlation, over random subsets, of the removed saliency and the drop of the output.

    .. math::
        L_{LC} = \frac{\sum_t w_t L_t}{\sum_t w_t}, \qquad
        L_t = \frac12 - \frac{1}{2 |D|} \sum_{x ∈ D}
              τ\left[ \sum_{i ∈ I_j} φ(x)_i, \; Δ[f(x), f(x ∖ I_j)] \right]_{j ≤ k},
        \qquad I_j \sim \text{law}_t

    φ is the explainer that is trained, f the explained model, :math:`x ∖ I` the sample with the
    features in I removed, and Δ the drop of a scalar of the logits. The loss lies in [0, 1]; the
    true contributions of a model that is additive in Δ have loss 0. The gradient reaches φ through
    the sums alone: f is evaluated without gradients and need not be differentiable.

    A single term determines φ up to what its law leaves open: with Pearson's correlation a factor,
    and with subsets of fixed size a constant added to all features; its optimum is a linear
    approximation of f under its law (Banzhaf values for ``BernoulliLaw(0.5)``). Terms with several
    laws and scalars find a compromise, which scored better on several faithfulness metrics at once
    than any single term.

    Presets, as law, Δ and weight of each term:

    - ``"paper"``: Bernoulli(1/2), ``"prob"``, 10 subsets.
    - ``"table"``: uniform size, ``"centered_logit"``, 1, and ``"prob"``, 1; a share of 0.43 (3 of 7
      columns), ``"prob"``, 0.5; single removals without centring, ``"prob"``, 0.3.
    - ``"image"``: Bernoulli(1/2), 1; a share of 0.1, 0.15; single removals without centring, 0.15;
      all of ``"prob"``.
    - ``"text"``: uniform size, ``"centered_logit"``, 1, and ``"prob"``, 1; a share of 0.1,
      ``"prob"``, 0.5; single removals without centring, ``"prob"``, 0.3.

    Args:
        terms: The terms, or the name of a preset.
        n_subsets: k of all terms; ``None`` keeps that of each term.

    Raises:
        TypeError: If a term is not a :class:`CorrelationTerm`.
        ValueError: If there is no term, or the name is unknown.

    Shapes:
        - saliency: ``(B, n)``, or ``(B, n, C)`` with an explanation of every class
        - target: ``(B,)`` long, the explained class; ``None`` for all classes
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> from pear_lightning.scoring import BernoulliLaw
        >>> f, inputs = nn.Linear(6, 2), torch.rand(4, 6)
        >>> contributions = inputs * (f.weight[0] - f.weight[1])
        >>> loss = LocalCorrelationLoss(
        ...     [CorrelationTerm(BernoulliLaw(), output="centered_logit")]
        ... )
        >>> target = torch.zeros(4, dtype=torch.long)
        >>> removals = loss.evaluate(f, inputs, ColumnMasker(6))
        >>> abs(round(loss(contributions, removals, target).item(), 4))
        0.0
        >>> round(loss(-contributions, removals, target).item(), 4)
        1.0

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026, the local
        correlation loss.

    Deviations from the paper:
        Several terms; cosine in place of the correlation; equal weights of drawn subsets, and the
        exact probabilities of all subsets of samples with few features. The authors' code sums the
        saliency of the features that are kept, whose minimum is the opposite of an explanation. A
        sample whose output does not change has correlation 0, and no gradient.
    """

    def __init__(
        self,
        terms: Preset | Sequence[CorrelationTerm] = "table",
        *,
        n_subsets: int | None = None,
    ) -> None:
        super().__init__()
        if isinstance(terms, str):
            if terms not in PRESETS:
                raise ValueError(
                    f"terms must be a list of CorrelationTerm or one of {sorted(PRESETS)}, got "
                    f"{terms!r}"
                )
            terms = PRESETS[terms]
        if not terms:
            raise ValueError("terms must hold at least one CorrelationTerm, got none")
        for position, term in enumerate(terms):
            if not isinstance(term, CorrelationTerm):
                raise TypeError(
                    f"terms[{position}] must be a CorrelationTerm, got {type(term).__name__}"
                )
        if n_subsets is not None:
            check_count("n_subsets", n_subsets)
        self.terms = tuple(terms)
        self.n_subsets = n_subsets

    @property
    def laws(self) -> list[tuple[SubsetLaw, int]]:
        """Law and number of subsets of each term."""
        return [(term.law, self.n_subsets or term.n_subsets) for term in self.terms]

    @property
    def follows_order(self) -> bool:
        """Whether a law depends on φ, so that stored subsets cannot be used."""
        return any(term.law.ranked for term in self.terms)

    def evaluate(
        self,
        forward: Forward,
        batch: Any,
        masker: Masker,
        *,
        seed: int = 0,
        saliency: Tensor | None = None,
    ) -> Removals:
        """Draw the subsets of all terms and evaluate the explained model, without gradients.

        Args:
            forward: The explained model f; maps inputs ``(N, *S)`` to logits ``(N, C)``.
            batch: Anything that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads.
            masker: Defines the features and their values when removed.
            seed: Seed of the subsets, such as the number of the step.
            saliency: φ, ``(B, n)``; required by laws that follow its order.
        """
        read = Batch.of(batch)
        bound = masker.bind(read.inputs, read.sample_data)
        return self.evaluate_bound(forward, read, bound, seed=seed, saliency=saliency)

    def evaluate_bound(
        self,
        forward: Forward,
        batch: Batch,
        bound: BoundMasker,
        *,
        seed: int = 0,
        saliency: Tensor | None = None,
    ) -> Removals:
        """Do what :meth:`evaluate` does, for samples whose features are known.

        Args:
            forward: The explained model f.
            batch: The samples.
            bound: Their features.
            seed: Seed of the subsets.
            saliency: φ, ``(B, n)``; required by laws that follow its order.
        """
        return remove_subsets(forward, batch, bound, self.laws, seed=seed, saliency=saliency)

    def forward(self, saliency: Tensor, removals: Removals, target: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            saliency: φ, ``(B, n)``, or ``(B, n, C)`` for all classes.
            removals: Fresh (:meth:`evaluate`) or stored evaluations of f; each subset has the
                number of its term.
            target: Explained class of each sample; ``None`` only with an explanation of all
                classes.

        Raises:
            ValueError: If a shape does not fit, the saliency or an output of f is NaN or Inf, or a
                term's scalar needs several classes and f has one output.
        """
        return self.per_sample(saliency, removals, target).values.mean()

    def per_sample(
        self, saliency: Tensor, removals: Removals, target: Tensor | None = None
    ) -> PerSample:
        """Return the loss of each sample, and whether a correlation is undefined.

        Args:
            saliency: See :meth:`forward`.
            removals: See :meth:`forward`.
            target: See :meth:`forward`.

        Returns:
            ``(B,)`` each; a sample is undefined if no term has a correlation.
        """
        terms = self.correlations(saliency, removals, target)
        total = sum(term.weight for term in self.terms)
        mean = sum(
            term.weight / total * each.values for term, each in zip(self.terms, terms, strict=True)
        )
        assert isinstance(mean, Tensor)
        undefined = torch.stack([each.undefined for each in terms]).all(dim=0)
        return PerSample((1 - mean) / 2, undefined)

    def correlations(
        self, saliency: Tensor, removals: Removals, target: Tensor | None = None
    ) -> list[PerSample]:
        """Return τ of each term and sample, ``(B,)``; the mean over classes if all are explained.

        Args:
            saliency: See :meth:`forward`.
            removals: See :meth:`forward`.
            target: See :meth:`forward`.
        """
        self._check(saliency, removals, target)
        with torch.autocast(saliency.device.type, enabled=False):
            sums = removals.removed_sums(at_least_float32(saliency))
            drops: dict[Any, Tensor] = {}
            for term in self.terms:
                if term.output not in drops:
                    drops[term.output] = removals.drops(resolve_output(term.output), target)
                    check_finite(f"drops of {term.output} in removals", drops[term.output])
            with trusted_values():
                return [
                    self._correlation(number, sums, drops[term.output], removals)
                    for number, term in enumerate(self.terms)
                ]

    def _correlation(
        self, number: int, sums: Tensor, drops: Tensor, removals: Removals
    ) -> PerSample:
        law = self.terms[number].law
        weights = removals.weights * (removals.laws == law_code(number, law))
        if not bool((weights.sum(dim=1) > 0).all()):
            raise ValueError(
                f"removals must hold subsets of the law of term {number}, {law}, for every sample, "
                "got none; store those of this loss (evaluate)"
            )
        if sums.ndim == 3:  # classes before subsets
            sums, drops, weights = sums.mT, drops.mT, weights[:, None]
        found = weighted_correlation(
            sums, drops.detach(), weights, centered=self.terms[number].centered
        )
        if found.values.ndim == 2:
            return PerSample(found.values.mean(dim=1), found.undefined.all(dim=1))
        return found

    def _check(self, saliency: Tensor, removals: Removals, target: Tensor | None) -> None:
        rows, _, n = removals.keep.shape
        classes = removals.original.shape[1]
        if saliency.shape not in ((rows, n), (rows, n, classes)):
            raise ValueError(
                f"saliency must have shape ({rows}, {n}) or ({rows}, {n}, {classes}), got "
                f"{tuple(saliency.shape)}"
            )
        unfit = {str(term.output) for term in self.terms if term.output in OF_SEVERAL_CLASSES}
        if classes == 1 and unfit:
            raise ValueError(
                "terms must have output='logit' or a function of the logits for a model with one "
                f"output, got {', '.join(map(repr, sorted(unfit)))}; give LocalCorrelationLoss("
                "[CorrelationTerm(UniformSizeLaw(), output='logit')]), to DeepFaith as "
                "local_correlation"
            )
        if (target is None) != (saliency.ndim == 3):
            raise ValueError(
                "target must be given for saliency (B, n) and be None for saliency (B, n, C), got "
                f"saliency {tuple(saliency.shape)} and "
                f"target {None if target is None else tuple(target.shape)}"
            )
        check_finite("saliency", saliency)

    def extra_repr(self) -> str:
        """Return the terms, for ``repr``."""
        return ", ".join(map(repr, self.terms))
