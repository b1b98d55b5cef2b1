"""Activation functions by name."""

from collections.abc import Callable
from typing import Literal

from torch import nn

Activation = Literal["relu", "gelu", "silu", "softplus", "tanh", "elu"]

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
}


def activation_layer(name: Activation) -> nn.Module:
    """Return a new activation layer.

    Args:
        name: ``"relu"``, ``"gelu"``, ``"silu"``, ``"softplus"``, ``"tanh"`` or ``"elu"``.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> activation_layer("gelu")
        GELU(approximate='none')
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation must be one of {list(_ACTIVATIONS)}, got {name!r}")
    return _ACTIVATIONS[name]()
