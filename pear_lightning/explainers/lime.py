"""LIME."""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer
from pear_lightning.explainers.coalitions import (
    all_coalitions,
    can_enumerate,
    draw_coin_flips,
    in_float64,
    score_coalitions,
)
from pear_lightning.explainers.lasso import lasso
from pear_lightning.explainers.least_squares import weighted_centre, weighted_least_squares
from pear_lightning.explainers.scorer import Scorer
from pear_lightning.masking.fixed_baseline import FixedBaseline, FixedSpec


class Lime(Explainer):
    r"""Attribute by a sparse linear model of the scores of randomly masked copies of the input.

    .. math:: a = \arg\min_β \min_{β_0} \frac{1}{2 \sum_k w_k} \sum_k w_k
              \left( v(z_k) - β_0 - z_k^\top β \right)^2 + α |β|_1, \qquad
              w_k = \exp\left( -\frac{(1 - \cos_k)^2}{2 σ^2} \right)

    where ``v(z)`` is the explained scalar with the elements outside the mask z replaced by the
    baseline b, z keeps each of the n elements of an input with probability 1/2, and ``cos_k`` is
    the cosine similarity of the perturbed copy to the original. The problems of all samples are
    solved as one batch, in float64, to convergence. These are Captum's settings, which the PEAR
    paper uses; on the same masks the coefficients equal Captum's.

    Where all ``2^n`` masks fit into ``n_samples`` each is used once: the value that random masks
    converge to. With fewer masks than features and ``alpha=0`` the regression is undetermined;
    of all solutions the one of least norm is returned. The attributions carry no gradients.

    Args:
        n_samples: Number of masks; each is one evaluation of the model per sample.
        baseline: b: ``"zeros"``, ``"mean"`` (of the training data), a number, or a tensor
            ``(*S)``.
        kernel_width: σ.
        alpha: α of the Lasso, in units of the explained scalar; 0 is weighted least squares.
        similarity: What the cosine compares: ``"inputs"`` compares the perturbed with the
            original input (Captum, PEAR), so large elements count more and a baseline that is
            not zero shifts the kernel; ``"masks"`` compares z with the mask of ones (the paper's
            code for text and images).
        exhaustive: Whether to use all masks, without randomness, where they fit into
            ``n_samples``.
        seed: With a seed, the same masks for every sample and every call. ``None`` draws for
            each sample from torch's global generator.

    Raises:
        ValueError: If ``n_samples < 1``, ``kernel_width <= 0``, ``alpha < 0`` or a name is not
            known; when called, if the model returns NaN or Inf.

    Shapes:
        - inputs: ``(B, *S)``, n = the product of S
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
        The penalty is the Lasso's, not a selection of k features. By default the cosine compares
        inputs, as in Captum.
    """

    def __init__(
        self,
        n_samples: int = 200,
        baseline: FixedSpec = "zeros",
        *,
        kernel_width: float = 1.0,
        alpha: float = 1e-4,
        similarity: Literal["inputs", "masks"] = "inputs",
        exhaustive: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}")
        if not kernel_width > 0:
            raise ValueError(f"kernel_width must be positive, got {kernel_width}")
        if not alpha >= 0:
            raise ValueError(f"alpha must not be negative, got {alpha}")
        if similarity not in ("inputs", "masks"):
            raise ValueError(f"similarity must be 'inputs' or 'masks', got {similarity!r}")
        self.n_samples = n_samples
        self.baseline = FixedBaseline(baseline)
        self.kernel_width = kernel_width
        self.alpha = alpha
        self.similarity = similarity
        self.exhaustive = exhaustive
        self.seed = seed
        self.stochastic = seed is None

    @torch.no_grad()
    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return the coefficients of the linear models.

        Args:
            scorer: The explained scalar at any query points.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Attributions, ``(B, *S)``.
        """
        baseline = self.baseline(inputs)
        keep = self._masks(inputs)
        scores = score_coalitions(scorer, inputs, baseline, keep)
        masks = in_float64(keep)
        coefficients = self._fit(masks, scores, self._weights(masks, inputs, baseline))
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        return coefficients.to(inputs.device, dtype).view(inputs.shape)

    def _masks(self, inputs: Tensor) -> Tensor:
        n_features = inputs[0].numel()
        if self.exhaustive and can_enumerate(n_features, self.n_samples):
            return all_coalitions(n_features, inputs.device)
        return draw_coin_flips(self.n_samples, n_features, inputs, self.seed)

    def _weights(self, masks: Tensor, inputs: Tensor, baseline: Tensor) -> Tensor:
        """Return the weights ``(K, B)`` or ``(K, 1)`` of the masks, summing to 1 per sample."""
        if self.similarity == "masks":
            cosine = masks.mean(dim=-1).sqrt()  # z·1 / (|z| |1|)
        else:
            cosine = _cosine_to_inputs(
                masks, in_float64(inputs).flatten(1), in_float64(baseline).flatten(1)
            )
        # A softmax: the objective divides by the sum, which would underflow for a narrow kernel.
        return torch.softmax(-((1 - cosine) ** 2) / (2 * self.kernel_width**2), dim=0)

    def _fit(self, masks: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
        """Return the coefficients ``(B, n)``."""
        masks, scores = weighted_centre(masks, scores, weights)
        if self.alpha == 0:
            return weighted_least_squares(masks, scores, weights)
        weighted = (weights[..., None] * masks).movedim(0, 1)  # (B or 1, K, n)
        gram = weighted.mT @ masks.movedim(0, 1)
        moment = (weighted.mT @ scores.T[..., None])[..., 0]
        return lasso(gram, moment, self.alpha)

    def extra_repr(self) -> str:
        """Name the settings."""
        return (
            f"n_samples={self.n_samples}, kernel_width={self.kernel_width}, alpha={self.alpha}, "
            f"similarity={self.similarity!r}, exhaustive={self.exhaustive}, seed={self.seed}"
        )


def _cosine_to_inputs(masks: Tensor, inputs: Tensor, baseline: Tensor) -> Tensor:
    """Return the cosine of each perturbed input with the original, ``(K, B)``.

    Of ``p = z x + (1 - z) b``: the products ``x·p`` and ``|p|^2`` are linear in z, so no copy is
    made. A vector of zeros has cosine 0 with any other, as in torch.

    Args:
        masks: z, ``(K, B, n)`` or ``(K, 1, n)``.
        inputs: x, ``(B, n)``.
        baseline: b, ``(1, n)``.

    Returns:
        Cosine similarities ``(K, B)``.
    """
    products, squares = inputs * baseline, (baseline * baseline).expand_as(inputs)

    def sum_over(kept: Tensor, removed: Tensor) -> Tensor:
        return torch.einsum("kbn,bn->kb", masks, kept - removed) + removed.sum(dim=-1)

    product = sum_over(inputs * inputs, products)
    squared_norm = sum_over(inputs * inputs, squares).clamp_min(0)
    norms = (squared_norm * (inputs * inputs).sum(dim=-1)).sqrt()
    return torch.where(norms > 0, product / norms.where(norms > 0, 1), 0)
