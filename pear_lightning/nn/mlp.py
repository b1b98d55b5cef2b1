"""A multilayer perceptron for table rows."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from pear_lightning.nn.activations import Activation, activation_layer
from pear_lightning.nn.in_features import given_in_features

_NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}


class MLP(nn.Module):
    """Multilayer perceptron for table rows; by default the network of the PEAR paper.

    Each hidden layer consists of linear, normalization, activation and dropout; the last layer is
    linear. Gradients of a ReLU network are piecewise constant, so a loss of its gradients only
    learns where the pieces meet; ``"softplus"`` and ``"gelu"`` have second derivatives everywhere.

    Shapes:
        - ``inputs``: ``(B, in_features)``
        - ``logits``: ``(B, out_features)``

    Args:
        in_features: Number of features of a row. It can be left out in configurations of the
            command line only, which take it from the data.
        out_features: Number of classes or of predicted values.
        hidden_features: Width of each hidden layer; an empty sequence gives a linear model.
        activation: ``"relu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"elu"``.
        dropout: Share of the hidden units dropped in training, from 0 to below 1.
        normalization: ``"batch"``, ``"layer"`` or ``None``.

    Raises:
        ValueError: If an argument is out of range, or the inputs have a different number of
            features.

    Example:
        >>> import torch
        >>> model = MLP(8)
        >>> model(torch.rand(32, 8)).shape
        torch.Size([32, 2])
        >>> sum(p.numel() for p in model.parameters())  # the paper's 21.302 thousand
        21302

    References:
        A. Schwarzschild, M. Cembalest, K. Rao, K. Hines, J. Dickerson. *Reckoning with the
        disagreement problem: explanation consensus as a training objective.* AIES 2023,
        arXiv 2303.13299, appendix A.2.
    """

    def __init__(
        self,
        in_features: int | None = None,
        out_features: int = 2,
        hidden_features: Sequence[int] = (100, 100, 100),
        activation: Activation = "relu",
        dropout: float = 0.0,
        normalization: Literal["batch", "layer"] | None = None,
    ) -> None:
        super().__init__()
        in_features = given_in_features(in_features)
        widths = [in_features, *hidden_features, out_features]
        if any(width < 1 for width in widths):
            raise ValueError(f"layers must have widths of at least 1, got {widths}")
        activation_layer(activation)  # raises for an unknown name, also without hidden layers
        if normalization is not None and normalization not in _NORMALIZATIONS:
            raise ValueError(
                f"normalization must be None or one of {list(_NORMALIZATIONS)}, got "
                f"{normalization!r}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        layers: list[nn.Module] = []
        for width, next_width in pairwise(widths[:-1]):
            layers.append(nn.Linear(width, next_width))
            if normalization is not None:
                layers.append(_NORMALIZATIONS[normalization](next_width))
            layers.append(activation_layer(activation))
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-2], out_features))
        self.in_features = in_features
        self.out_features = out_features

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits ``(B, out_features)`` of rows ``(B, in_features)``."""
        if inputs.shape[-1] != self.in_features:
            raise ValueError(
                f"inputs must have shape (B, {self.in_features}), got {tuple(inputs.shape)}"
            )
        logits: Tensor = self.layers(inputs)
        return logits
