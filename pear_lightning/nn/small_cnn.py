"""A small convolutional network for images."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from pear_lightning.nn.activations import Activation, activation_layer

_GROUP_SIZE = 8
_NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "group": lambda channels: nn.GroupNorm(max(1, channels // _GROUP_SIZE), channels),
    "batch": nn.BatchNorm2d,
}


class SmallCNN(nn.Module):
    """Small convolutional network for images of any size, such as MNIST and CIFAR-10.

    Each stage consists of a 3 x 3 convolution, normalization and activation, and halves height and
    width (2 x 2 mean pooling) if it is not the last stage. The classes are a linear function of the
    mean over the positions of the last stage. Group norm and GELU are the defaults: group norm is
    the same function in train and eval mode, so the logits of an explanation pass can be used for
    the task loss, and GELU has second derivatives everywhere.

    Shapes:
        - ``inputs``: ``(B, in_channels, H, W)``
        - ``logits``: ``(B, num_classes)``

    Args:
        in_channels: Number of channels of an image: 1 for grey, 3 for colour.
        num_classes: Number of classes.
        channels: Number of channels of each stage.
        activation: ``"relu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"elu"``.
        normalization: ``"group"`` (groups of eight channels), ``"batch"`` or ``None``.
        dropout: Share of the values dropped in training before the linear layer, from 0 to below 1.

    Raises:
        ValueError: If an argument is out of range, or the inputs have another shape.

    Example:
        >>> import torch
        >>> model = SmallCNN(in_channels=1, num_classes=10)
        >>> model(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 10])
        >>> sum(p.numel() for p in model.parameters())
        94186
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        channels: Sequence[int] = (32, 64, 128),
        activation: Activation = "gelu",
        normalization: Literal["group", "batch"] | None = "group",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [in_channels, *channels, num_classes]
        if not channels or any(width < 1 for width in widths):
            raise ValueError(
                f"channels must hold one or more numbers of at least 1, got {list(channels)} for "
                f"in_channels={in_channels} and num_classes={num_classes}"
            )
        if normalization is not None and normalization not in _NORMALIZATIONS:
            raise ValueError(
                f"normalization must be None or one of {list(_NORMALIZATIONS)}, got "
                f"{normalization!r}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        layers: list[nn.Module] = []
        for width, next_width in pairwise(widths[:-1]):
            if layers:
                layers.append(nn.AvgPool2d(2, ceil_mode=True))
            # a bias before normalization has no effect
            layers.append(nn.Conv2d(width, next_width, 3, padding=1, bias=normalization is None))
            if normalization is not None:
                layers.append(_NORMALIZATIONS[normalization](next_width))
            layers.append(activation_layer(activation))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-2], num_classes)
        self.in_channels = in_channels

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits ``(B, num_classes)`` of images ``(B, in_channels, H, W)``."""
        if inputs.ndim != 4 or inputs.shape[1] != self.in_channels:
            raise ValueError(
                f"inputs must have shape (B, {self.in_channels}, H, W), got {tuple(inputs.shape)}"
            )
        logits: Tensor = self.head(self.dropout(self.body(inputs).mean(dim=(2, 3))))
        return logits
