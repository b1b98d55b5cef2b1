"""The smoothness prior: neighbouring pixels should have similar attributions."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pear_lightning.explainers import ExpectedGradients, Explainer
from pear_lightning.functional.validation import at_least_float32, check_attributions
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.scoring.outputs import OutputFunction, OutputName


class SmoothnessPrior(AttributionLoss):
    r"""Total variation of the attributions over an image.

    .. math:: R = \frac{1}{N} \sum_n \mathrm{mean}_{ij} \left| \phi_{i+1,j} - \phi_{ij} \right|
              + \mathrm{mean}_{ij} \left| \phi_{i,j+1} - \phi_{ij} \right|

    Channels are treated as separate images. R grows with the scale of the attributions, so it also
    decreases if all of them shrink.

    Args:
        explainers: Explainers by name; ``None`` means expected gradients with one draw and a
            background of training rows, as in the paper. R is averaged over them.
        output: Scalar that is explained.
        dims: Dimensions of ``(B, *S)`` along which neighbours are compared: height and width by
            default, ``(-1,)`` for a series.

    Raises:
        ValueError: If the output is unknown or ``dims`` are empty; when called, if attributions
            lack a dimension or hold NaN or Inf.

    Shapes:
        - attributions: ``(B, C, H, W)`` or ``(B, H, W)``; any ``(B, *S)`` that has ``dims``
        - output: a scalar, float32 or better

    Example:
        >>> image = torch.tensor([[[0.0, 1.0], [0.0, 3.0]]])
        >>> SmoothnessPrior()(image).item()
        3.0

    References:
        Erion, Janizek, Sturmfels, Lundberg, Lee, *Improving performance of deep learning models
        with axiomatic attribution priors and expected gradients*, Nature Machine Intelligence 2021,
        arXiv 1906.10670.
    """

    def __init__(
        self,
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
        output: OutputName | OutputFunction = "centered_logit",
        *,
        dims: tuple[int, ...] = (-2, -1),
    ) -> None:
        if not dims:
            raise ValueError("dims must name at least one dimension, got none")
        super().__init__(explainers, output)
        self.dims = tuple(dims)

    def default_explainers(self) -> dict[str, Explainer]:
        """Return expected gradients with one draw."""
        return {"expected_gradients": ExpectedGradients(1)}

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Attributions of each explainer, ``(B, *S)``.
            mask: Not used.
        """
        losses = []
        for each in attributions:
            check_attributions("attributions", each)
            sizes = [each.shape[dim] if -each.ndim < dim < each.ndim else 0 for dim in self.dims]
            if each.ndim < 1 + len(self.dims) or min(sizes) < 2:
                raise ValueError(
                    "attributions must have two or more values along each of the dimensions "
                    f"{self.dims}, got {tuple(each.shape)}; use images (B, C, H, W), or dims=(-1,) "
                    "for a series"
                )
            values = at_least_float32(each)
            losses.append(sum(values.diff(dim=dim).abs().mean() for dim in self.dims))
        return torch.stack([torch.as_tensor(loss) for loss in losses]).mean()

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"dims={self.dims}, output={self.output!r}"
