"""KernelSHAP."""

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer
from pear_lightning.explainers.coalitions import (
    all_coalitions,
    can_enumerate,
    draw_shapley_coalitions,
    score_coalitions,
    shapley_kernel,
)
from pear_lightning.explainers.least_squares import shapley_regression
from pear_lightning.explainers.scorer import Scorer
from pear_lightning.masking.fixed_baseline import FixedBaseline, FixedSpec


class KernelShap(Explainer):
    r"""Attribute by Shapley values, estimated by weighted linear regression on coalitions.

    .. math:: φ = \arg\min_φ \sum_z π(z) \left( v(z) - v(0) - z^\top φ \right)^2
              \quad \text{with} \quad \sum_i φ_i = f(x) - f(b), \qquad
              π(z) = \frac{n - 1}{\binom{n}{|z|} |z| (n - |z|)}

    where ``v(z)`` is the explained scalar with the elements outside the coalition z replaced by
    the baseline b, and the n features are the elements of one input. The problems of all samples
    are solved as one batch, in float64.

    Where all ``2^n`` coalitions fit into ``n_samples`` they are used with their weights, and the
    result is the exact Shapley values. Otherwise coalitions are drawn from π. With fewer drawn
    coalitions than features the regression is undetermined: of all solutions the one nearest to
    equal shares is returned. The attributions sum to ``f(x) - f(b)`` in every case.

    The attributions carry no gradients.

    Args:
        n_samples: Number of coalitions, the full and the empty one included; each is one
            evaluation of the model per sample.
        baseline: b: ``"zeros"``, ``"mean"`` (of the training data), a number, or a tensor
            ``(*S)``.
        paired: Whether to draw half of the coalitions and add their complements, which lowers
            the variance. Captum does not.
        exhaustive: Whether to use all coalitions, without randomness, where they fit into
            ``n_samples``.
        seed: With a seed, the same coalitions for every sample and every call. ``None`` draws
            for each sample from torch's global generator.

    Raises:
        ValueError: If ``n_samples < 2`` or the baseline is not one of these; when called, if
            the model returns NaN or Inf.

    Shapes:
        - inputs: ``(B, *S)``, n = the product of S
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
        Removed features take the value of a baseline and not of background data. The infinite
        weights of the full and the empty coalition are solved as constraints; Captum gives them
        the weight 1e6, which agrees to about that precision.
    """

    def __init__(
        self,
        n_samples: int = 200,
        baseline: FixedSpec = "zeros",
        *,
        paired: bool = True,
        exhaustive: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if n_samples < 2:
            raise ValueError(
                f"n_samples must be at least 2, the full and the empty coalition, got {n_samples}"
            )
        self.n_samples = n_samples
        self.baseline = FixedBaseline(baseline)
        self.paired = paired
        self.exhaustive = exhaustive
        self.seed = seed
        self.stochastic = seed is None

    @torch.no_grad()
    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return the Shapley values of the elements of the inputs.

        Args:
            scorer: The explained scalar at any query points.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Attributions, ``(B, *S)``.
        """
        keep, weights = self._coalitions(inputs)
        scores = score_coalitions(scorer, inputs, self.baseline(inputs), keep)
        values = shapley_regression(keep.to(scores.device), scores, weights.to(scores.device))
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        return values.to(inputs.device, dtype).view(inputs.shape)

    def _coalitions(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return coalitions, the full and the empty one first, and the weights of the others."""
        n_features = inputs[0].numel()
        if n_features == 1 or (self.exhaustive and can_enumerate(n_features, self.n_samples)):
            keep = all_coalitions(n_features, inputs.device)
            return keep, shapley_kernel(keep[2:].cpu())
        keep = draw_shapley_coalitions(
            self.n_samples, n_features, inputs, self.seed, paired=self.paired
        )
        return keep, torch.ones(1, 1)

    def extra_repr(self) -> str:
        """Name the settings."""
        return (
            f"n_samples={self.n_samples}, paired={self.paired}, exhaustive={self.exhaustive}, "
            f"seed={self.seed}"
        )
