"""KernelSHAP."""

import torch
from torch import Tensor

from pear_lightning.explainers.perturbation_explainer import PerturbationExplainer, Plan
from pear_lightning.functional.coalitions import (
    budgets,
    can_enumerate,
    enumerated_or_drawn,
    shapley_kernel,
    with_ends,
)
from pear_lightning.functional.least_squares import shapley_regression
from pear_lightning.functional.validation import check_count
from pear_lightning.masking.fixed_baseline import FixedSpec
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.game import Game
from pear_lightning.scoring.subset_laws import ShapleyLaw


class KernelShap(PerturbationExplainer):
    r"""Shapley values, estimated by weighted linear regression on coalitions.

    .. math:: φ = \arg\min_φ \sum_z π(z) \left( v(z) - v(0) - z^\top φ \right)^2
              \quad \text{with} \quad \sum_i φ_i = f(x) - f(b), \qquad
              π(z) = \frac{n - 1}{\binom{n}{|z|} |z| (n - |z|)}

    where ``v(z)`` is the explained scalar with the features outside the coalition z replaced by
    the baseline b. The n features are those of a masker (patches, segments, tokens, groups of
    columns) or, without a masker, the elements of an input. The problems of all samples are solved
    as one batch, in float64, also if samples differ in their numbers of features.

    If ``n_samples`` is large enough for all ``2^n`` coalitions, they are used with their weights,
    and the result is the exact Shapley values. Otherwise coalitions are drawn from π. With fewer
    drawn coalitions than features, the regression is underdetermined and the solution nearest to
    equal shares is returned. The attributions sum to ``f(x) - f(b)`` in every case. With a masker,
    each feature's value is spread over its elements so that ``masker.pool`` returns it, and a
    random baseline takes a new draw for each coalition.

    The values are linear in the scores, so a loss of the attributions trains the model by first
    derivatives alone.

    Args:
        n_samples: Number of coalitions, including the full and the empty one; each is one
            evaluation of the model per sample. ``None`` is 32 n for n features, but at least 1024,
            which enumerates the coalitions of up to 10 features, and at most 4096.
        baseline: b: ``"zeros"``, ``"mean"`` (of the training data), a number, or a tensor
            ``(*S)``. ``None`` means the masker's baseline, or ``"zeros"`` without a masker.
        masker: Defines the features and their values when removed. ``None`` makes every element a
            feature.
        paired: Whether to draw half of the coalitions and add their complements, which lowers
            the variance. Captum does not.
        exhaustive: Whether to use all coalitions, without randomness, if ``n_samples`` is large
            enough.
        seed: Seed of coalitions shared by all samples and calls. ``None`` draws for each sample
            from torch's global generator.

    Raises:
        ValueError: If ``n_samples < 2``, the baseline is invalid, or both a baseline and a masker
            are given; when called, if the model returns NaN or Inf.

    Shapes:
        - inputs: ``(B, *S)``; with a masker also integer inputs, such as token ids
        - attributions: ``(B, *S)``, float32 or better

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from pear_lightning.explainers import explain
        >>> model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> inputs = torch.rand(4, 3)
        >>> logits, (attributions,) = explain(model, inputs, 1, [KernelShap(n_samples=8)])
        >>> difference = logits[:, 1] - model(torch.zeros(1, 3))[:, 1]
        >>> bool(torch.allclose(attributions.sum(1), difference, atol=1e-5))
        True

    References:
        Lundberg, Lee, *A Unified Approach to Interpreting Model Predictions*, NeurIPS 2017,
        arXiv 1705.07874, theorem 2 (the kernel π). Pairs: Covert, Lee, *Improving KernelSHAP*,
        AISTATS 2021, arXiv 2012.01536, section 4.

    Deviations from the paper:
        Removed features take the value of a baseline instead of background data. The infinite
        weights of the full and the empty coalition are enforced as constraints; Captum gives them
        the weight 1e6, which agrees to about that precision.
    """

    differentiable = True

    def __init__(
        self,
        n_samples: int | None = None,
        baseline: FixedSpec | None = None,
        *,
        masker: Masker | None = None,
        paired: bool = True,
        exhaustive: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(baseline, masker)
        if n_samples is not None:
            check_count("n_samples", n_samples)
        if n_samples is not None and n_samples < 2:
            raise ValueError(
                f"n_samples must be at least 2 (the full and the empty coalition), got {n_samples}"
            )
        self.n_samples = n_samples
        self.paired = paired
        self.exhaustive = exhaustive
        self.seed = seed
        self.stochastic = seed is None

    def plan(self, game: Game) -> Plan:
        """Return the coalitions other than the full one, and the regression on all scores.

        Args:
            game: The model as a cooperative game.
        """
        keep, weights = self._coalitions(game)

        def values(own: Tensor, scores: Tensor) -> Tensor:
            to, scores = scores.device, torch.cat([own[None], scores])
            return shapley_regression(keep.to(to), scores, weights.to(to), game.counts.to(to))

        return Plan(game.copy_set(keep[1:]), values)

    def _coalitions(self, game: Game) -> tuple[Tensor, Tensor]:
        """Return coalitions, the full and the empty one first, and the weights of the rest."""
        counts = game.counts
        budget = budgets(counts, self.n_samples)
        enumerable = counts == 1
        if self.exhaustive:
            enumerable |= can_enumerate(counts, budget)

        def uniform(n_draws: int, size: int) -> Tensor:
            return self.uniform(n_draws, size, game.bound.inputs, self.seed)

        law = ShapleyLaw(paired=self.paired)
        keep, valid = enumerated_or_drawn(
            counts,
            budget,
            enumerable,
            lambda n_draws: with_ends(law.draw(n_draws - 2, counts, uniform), counts),
        )
        if not bool(enumerable.any()):
            return keep, torch.ones(1, 1) if bool(valid.all()) else valid[2:].cpu().double()
        weights = shapley_kernel(keep[2:].cpu(), counts.cpu())
        return keep, weights.where(enumerable.cpu(), 1.0) * valid[2:].cpu()

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"n_samples={self.n_samples}, paired={self.paired}, exhaustive={self.exhaustive}, "
            f"seed={self.seed}, masker={self.masker}"
        )
