"""LIME."""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.explainers.perturbation_explainer import PerturbationExplainer, Plan
from pear_lightning.functional.coalitions import (
    budgets,
    can_enumerate,
    enumerated_or_drawn,
)
from pear_lightning.functional.lasso import lasso
from pear_lightning.functional.least_squares import weighted_centre, weighted_least_squares
from pear_lightning.functional.validation import check_count
from pear_lightning.masking.fixed_baseline import FixedSpec
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.game import Game, in_float64
from pear_lightning.scoring.subset_laws import BernoulliLaw


class Lime(PerturbationExplainer):
    r"""Coefficients of a sparse linear model of the scores of randomly masked copies of the input.

    .. math:: a = \arg\min_β \min_{β_0} \frac{1}{2 \sum_k w_k} \sum_k w_k
              \left( v(z_k) - β_0 - z_k^\top β \right)^2 + α |β|_1, \qquad
              w_k = \exp\left( -\frac{(1 - \cos_k)^2}{2 σ^2} \right)

    where ``v(z)`` is the explained scalar with the features outside the mask z replaced by the
    baseline b, z keeps each of the n features with probability 1/2, and ``cos_k`` is the cosine
    similarity of the perturbed copy to the original. The features are those of a masker (patches,
    segments, tokens, groups of columns) or, without a masker, the elements of an input. The
    problems of all samples are solved as one batch, in float64, to convergence, also if samples
    differ in their numbers of features. These are Captum's settings, which the PEAR paper uses; on
    the same masks the coefficients equal Captum's.

    If ``n_samples`` is large enough for all ``2^n`` masks, each is used once, which gives the value
    that random masks converge to. With fewer masks than features and ``alpha=0``, the regression is
    underdetermined and the solution of least norm is returned. With a masker, each feature's
    coefficient is spread over its elements so that ``masker.pool`` returns it, and a random
    baseline takes a new draw for each mask.

    With ``penalty="ridge"``, α |β|² / 2 replaces the Lasso's term. The coefficients are then linear
    in the scores, as with ``alpha=0``, and a loss of the attributions trains the model by first
    derivatives alone.

    Args:
        n_samples: Number of masks; each is one evaluation of the model per sample. ``None`` is 32 n
            for n features, but at least 1024, which enumerates the masks of up to 10 features, and
            at most 4096.
        baseline: b: ``"zeros"``, ``"mean"`` (of the training data), a number, or a tensor
            ``(*S)``. ``None`` means the masker's baseline, or ``"zeros"`` without a masker.
        masker: Defines the features and their values when removed. ``None`` makes every element a
            feature.
        kernel_width: σ.
        alpha: α, in units of the explained scalar for the Lasso and without a unit for the ridge;
            0 is weighted least squares.
        penalty: ``"lasso"``, whose coefficients cannot train a model, or ``"ridge"``.
        similarity: Vectors that the cosine compares. ``"inputs"`` compares the perturbed with the
            original input (Captum, PEAR), so large elements count more and a nonzero baseline
            shifts the kernel: of columns in different units, the one with the largest numbers
            decides which copies count. Give such columns unit variance first, as the data modules
            do, or choose ``"masks"``. ``"masks"`` compares z with the mask of ones (the paper's
            code for text and images), and is required for token ids.
        exhaustive: Whether to use all masks, without randomness, if ``n_samples`` is large enough.
        seed: Seed of masks shared by all samples and calls. ``None`` draws for each sample from
            torch's global generator.

    Raises:
        TypeError: When called, if the inputs are token ids and ``similarity="inputs"``.
        ValueError: If ``n_samples < 1``, ``kernel_width <= 0``, ``alpha < 0``, a name is unknown,
            or both a baseline and a masker are given; when called, if the model returns NaN or Inf.

    Shapes:
        - inputs: ``(B, *S)``; with a masker also integer inputs, such as token ids
        - attributions: ``(B, *S)``, float32 or better

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> model, inputs = torch.nn.Linear(3, 2), torch.rand(4, 3)
        >>> _, (attributions,) = explain(model, inputs, 1, [Lime(n_samples=50, alpha=0)])
        >>> bool(torch.allclose(attributions, inputs * model.weight[1], atol=1e-5))
        True

    References:
        Ribeiro, Singh, Guestrin, *"Why Should I Trust You?": Explaining the Predictions of Any
        Classifier*, KDD 2016, arXiv 1602.04938, equation 2 and section 3.4.

    Deviations from the paper:
        The penalty is the Lasso's or the ridge's instead of a selection of k features. By default
        the cosine compares inputs, as in Captum.
    """

    def __init__(
        self,
        n_samples: int | None = None,
        baseline: FixedSpec | None = None,
        *,
        masker: Masker | None = None,
        kernel_width: float = 1.0,
        alpha: float = 1e-4,
        penalty: Literal["lasso", "ridge"] = "lasso",
        similarity: Literal["inputs", "masks"] = "inputs",
        exhaustive: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(baseline, masker)
        if n_samples is not None:
            check_count("n_samples", n_samples)
        if not kernel_width > 0:
            raise ValueError(f"kernel_width must be positive, got {kernel_width}")
        if not alpha >= 0:
            raise ValueError(f"alpha must not be negative, got {alpha}")
        if penalty not in ("lasso", "ridge"):
            raise ValueError(f"penalty must be 'lasso' or 'ridge', got {penalty!r}")
        if similarity not in ("inputs", "masks"):
            raise ValueError(f"similarity must be 'inputs' or 'masks', got {similarity!r}")
        self.n_samples = n_samples
        self.kernel_width = kernel_width
        self.alpha = alpha
        self.penalty = penalty
        self.similarity = similarity
        self.exhaustive = exhaustive
        self.seed = seed
        self.stochastic = seed is None

    def plan(self, game: Game) -> Plan:
        """Return the masks, and the weighted regression on their scores.

        Args:
            game: The model as a cooperative game.

        Raises:
            TypeError: If inputs are to be compared and are not floating point.
        """
        inputs = game.bound.inputs
        if self.similarity == "inputs" and not inputs.is_floating_point():
            raise TypeError(
                f"inputs must be floating point for similarity='inputs', got {inputs.dtype}; use "
                "Lime(similarity='masks') for token ids"
            )
        keep, valid = self._masks(game)
        masks = in_float64(keep)
        with torch.no_grad():
            if self.similarity == "masks":
                # z·1 / (|z| |1|)
                cosines = (masks.sum(dim=-1) / game.counts.to(masks)).sqrt()
            else:
                cosines = _cosines(game, keep, masks)
            # A softmax, because the sum that the objective divides by underflows for a narrow
            # kernel.
            logits = -((1 - cosines) ** 2) / (2 * self.kernel_width**2)
            invalid = ~valid.to(logits.device)
            weights = torch.softmax(logits.masked_fill(invalid, -torch.inf), dim=0)
        return Plan(game.copy_set(keep), lambda _, scores: self._fit(masks, scores, weights))

    def _masks(self, game: Game) -> tuple[Tensor, Tensor]:
        """Return masks ``(K, B, m)`` and whether each is used, ``(K, B)``; B is 1 if shared."""

        def uniform(n_draws: int, size: int) -> Tensor:
            return self.uniform(n_draws, size, game.bound.inputs, self.seed)

        counts = game.counts
        budget = budgets(counts, self.n_samples)
        enumerable = can_enumerate(counts, budget if self.exhaustive else torch.zeros_like(budget))
        return enumerated_or_drawn(
            counts,
            budget,
            enumerable,
            lambda n_draws: BernoulliLaw().draw(n_draws, counts, uniform),
        )

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        """Whether attributions carry gradients to the model's weights: not those of a Lasso."""
        return self.penalty == "ridge" or self.alpha == 0

    def _fit(self, masks: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
        """Return the coefficients, ``(B, n)``."""
        masks, scores = weighted_centre(masks, scores, weights)
        if self.alpha == 0:
            return weighted_least_squares(masks, scores, weights)
        weighted = (weights[..., None] * masks).movedim(0, 1)  # (B or 1, K, n)
        gram = weighted.mT @ masks.movedim(0, 1)
        moment = (weighted.mT @ scores.T[..., None])[..., 0]
        if self.penalty == "ridge":
            ridge = self.alpha * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
            solved: Tensor = torch.linalg.solve(gram + ridge, moment[..., None])
            return solved[..., 0]
        return lasso(gram, moment, self.alpha)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"n_samples={self.n_samples}, kernel_width={self.kernel_width}, alpha={self.alpha}, "
            f"penalty={self.penalty!r}, similarity={self.similarity!r}, "
            f"exhaustive={self.exhaustive}, seed={self.seed}, masker={self.masker}"
        )


def _cosines(game: Game, keep: Tensor, masks: Tensor) -> Tensor:
    """Return the cosines of perturbed copies and their originals, ``(K, B)``.

    With z as ``masks``, a copy is ``p = z x + (1 - z) b``. If b is not random, ``x·p`` and
    ``|p|^2`` are linear in z and are computed without the copies.
    """
    original = in_float64(game.bound.inputs)
    original_square = original.flatten(1).square().sum(dim=1)
    copies = game.copy_set(keep)
    if game.bound.baseline.is_random:
        numbers = torch.arange(len(keep), device=keep.device)
        cosines = [
            _cosine_of_copies(in_float64(copies.copies(chunk)), original, original_square)
            for chunk in numbers.split(game.scorer.points_per_pass or len(keep))
        ]
        return torch.cat(cosines)
    empty = game.copy_set(torch.zeros_like(keep[:1])).copies(torch.zeros_like(game.counts[:1]))
    empty = in_float64(empty[0])

    def of_copies(kept: Tensor, removed: Tensor) -> Tensor:
        terms = torch.einsum("kbi,bi->kb", masks, game.sums(kept - removed))
        return terms + removed.flatten(1).sum(dim=1)

    product = of_copies(original.square(), original * empty)
    square = of_copies(original.square(), empty.square()).clamp_min(0)
    return _cosine(product, square, original_square)


def _cosine_of_copies(copies: Tensor, original: Tensor, original_square: Tensor) -> Tensor:
    """Return the cosines ``(k, B)`` of copies ``(k, B, *S)`` and the originals."""
    flat = copies.flatten(2)
    product = torch.einsum("kbi,bi->kb", flat, original.flatten(1))
    return _cosine(product, flat.square().sum(dim=2), original_square)


def _cosine(product: Tensor, square: Tensor, other_square: Tensor) -> Tensor:
    """Return ``x·y / (|x| |y|)``; the cosine of a zero vector and any vector is 0, as in torch."""
    norms = (square * other_square).sqrt()
    return torch.where(norms > 0, product / norms.where(norms > 0, 1), 0)
