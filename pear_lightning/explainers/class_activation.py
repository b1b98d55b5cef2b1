"""Base class of explainers that sum the channels of a layer."""

from abc import abstractmethod

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.explainers.base import Explainer
from pear_lightning.scoring.scorer import Scorer

INTERPOLATION = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""Interpolation of a map, by its number of dimensions."""


class ClassActivation(Explainer):
    r"""Base class of explainers that sum the channels of a layer, weighted for the explained class.

    .. math:: S = \mathrm{ReLU}\Big( \sum_k w_k A^k \Big)

    Subclasses implement :meth:`activation_and_weights`.

    Args:
        layer: Name of a layer of the model (``named_modules``) whose output has channels and
            positions, ``(B, K, *L)``, usually the last convolution. If a method or a submodule is
            explained, the name is relative to its module.
        relu: Whether to keep positive evidence only; otherwise the map is signed.
        resize: Whether to interpolate the map to the positions of the inputs and repeat it for each
            channel; otherwise it has shape ``(B, 1, *L)``.

    Raises:
        ValueError: If the layer is not named.
    """

    def __init__(self, layer: str, *, relu: bool = True, resize: bool = True) -> None:
        super().__init__()
        if not isinstance(layer, str) or not layer:
            raise ValueError(f"layer must be the name of a layer of the model, got {layer!r}")
        self.layer = layer
        self.relu = relu
        self.resize = resize

    @abstractmethod
    def activation_and_weights(self, scorer: Scorer, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of the layer, ``(B, K, *L)``, and the weights of its channels.

        Args:
            scorer: Evaluates the explained scalar.
            inputs: Inputs, ``(B, C, *S)``.

        Returns:
            Output of the layer, checked by :meth:`checked`, and weights ``(B, K)``.
        """

    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return the map of each input, ``(B, C, *S)``, or ``(B, 1, *L)`` without ``resize``.

        Args:
            scorer: Evaluates the explained scalar.
            inputs: Inputs, ``(B, C, *S)``.
        """
        activation, weights = self.activation_and_weights(scorer, inputs)
        maps = (weights[:, :, None] * activation.flatten(2)).sum(dim=1)
        maps = maps.reshape(len(inputs), 1, *activation.shape[2:])
        maps = maps.relu() if self.relu else maps
        return self.resized(maps, inputs).expand(inputs.shape) if self.resize else maps

    def checked(self, activation: Tensor) -> Tensor:
        """Return the output of the layer if it has channels and positions.

        Args:
            activation: Output of the layer.

        Raises:
            ValueError: If it has none.
        """
        if activation.ndim - 2 not in INTERPOLATION:
            raise ValueError(
                f"layer {self.layer!r} must return channels and positions, (B, K, *L) with one to "
                f"three dimensions L, got {tuple(activation.shape)}"
            )
        return activation

    def resized(self, maps: Tensor, inputs: Tensor) -> Tensor:
        """Return maps ``(B, M, *L)``, interpolated to the positions of the inputs.

        Args:
            maps: Maps.
            inputs: Inputs, ``(B, C, *S)``.

        Returns:
            ``(B, M, *S)``.

        Raises:
            ValueError: If the inputs have another number of spatial dimensions.
        """
        if inputs.ndim != maps.ndim:
            raise ValueError(
                f"inputs must have {maps.ndim - 2} spatial dimensions, like the map of layer "
                f"{self.layer!r}, got {tuple(inputs.shape)}; use {type(self).__name__}(..., "
                "resize=False) to keep the map as it is"
            )
        return F.interpolate(maps, inputs.shape[2:], mode=INTERPOLATION[maps.ndim - 2])

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"layer={self.layer!r}, relu={self.relu}, resize={self.resize}"
