"""Grad-CAM that can be trained through."""

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.explainers.base import Explainer
from pear_lightning.scoring.layer_gradients import layer_gradients_at
from pear_lightning.scoring.scorer import Scorer

_INTERPOLATION = {1: "linear", 2: "bilinear", 3: "trilinear"}


class GradCAM(Explainer):
    r"""Attribute by the channels of a layer, weighted by the mean gradient at each.

    .. math:: S = \mathrm{ReLU}\Big( \sum_k \alpha_k A^k \Big), \qquad
              \alpha_k = \frac{1}{Z} \sum_{i,j} \frac{\partial f}{\partial A^k_{ij}}

    Attributions carry gradients to the weights, of the layers before and after the named one; so a
    loss of them can train a model, which Captum's Grad-CAM cannot. The scalar f is the one that
    :func:`~pear_lightning.explainers.explain` was asked for. It costs a forward and a backward pass
    of its own, and cannot be traced by ``torch.compile``.

    Args:
        layer: Name of a layer of the model (``named_modules``) whose output has channels and
            positions, ``(B, K, *L)``: the last convolution, usually. Where a method or a submodule
            is explained, the name within it.
        relu: Whether only positive evidence is kept; without it the map is signed.
        resize: Whether the map is interpolated to the positions of the inputs and repeated for each
            channel; otherwise it stays ``(B, 1, *L)``.

    Raises:
        TypeError: When called, if the layer does not return one tensor.
        ValueError: When called, if there is no such layer, it is called more than once, or its
            output or the inputs have no positions.

    Shapes:
        - inputs: ``(B, C, *S)`` with one to three dimensions S
        - attributions: ``(B, C, *S)``, or ``(B, 1, *L)`` without ``resize``

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.ReLU(),
        ...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2),
        ... )
        >>> _, (attributions,) = explain(model, torch.rand(5, 3, 9, 9), 1, [GradCAM("1")])
        >>> attributions.shape
        torch.Size([5, 3, 9, 9])

    References:
        Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra, *Grad-CAM: Visual Explanations from Deep
        Networks via Gradient-based Localization*, ICCV 2017, arXiv 1610.02391, equations 1 and 2.
    """

    differentiable = True

    def __init__(self, layer: str, *, relu: bool = True, resize: bool = True) -> None:
        super().__init__()
        if not isinstance(layer, str) or not layer:
            raise ValueError(f"layer must be the name of a layer of the model, got {layer!r}")
        self.layer = layer
        self.relu = relu
        self.resize = resize

    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return the map of each input.

        Args:
            scorer: The explained scalar.
            inputs: Inputs, ``(B, C, *S)``.

        Returns:
            Attributions ``(B, C, *S)``, or ``(B, 1, *L)``.
        """
        _, activation, gradients = layer_gradients_at(scorer, inputs, self.layer)
        if activation.ndim - 2 not in _INTERPOLATION:
            raise ValueError(
                f"layer {self.layer!r} must put out channels and positions, (B, K, *L) with one to "
                f"three dimensions L, got {tuple(activation.shape)}"
            )
        weights = gradients.flatten(2).mean(dim=2)
        maps = (weights[:, :, None] * activation.flatten(2)).sum(dim=1)
        maps = maps.reshape(len(inputs), 1, *activation.shape[2:])
        maps = maps.relu() if self.relu else maps
        if not self.resize:
            return maps
        if inputs.ndim != maps.ndim:
            raise ValueError(
                f"a map of {maps.ndim - 2} dimensions cannot be resized to inputs of shape "
                f"{tuple(inputs.shape)}; GradCAM(..., resize=False) leaves it as it is"
            )
        resized = F.interpolate(maps, inputs.shape[2:], mode=_INTERPOLATION[maps.ndim - 2])
        return resized.expand(inputs.shape)

    def extra_repr(self) -> str:
        """Name the settings."""
        return f"layer={self.layer!r}, relu={self.relu}, resize={self.resize}"
