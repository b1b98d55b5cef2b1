"""Copies of a network with new random weights."""

import copy
from collections.abc import Callable

from torch import nn

Initializer = Callable[[nn.Module], None]


def fresh_copy(module: nn.Module, initialize: Initializer | None = None) -> nn.Module:
    """Return a copy of a module with newly drawn weights.

    Args:
        module: The module, which is not changed.
        initialize: Draws all weights of the copy, in place. ``None`` calls ``reset_parameters`` of
            every layer, which the layers of torch have.

    Raises:
        ValueError: If a layer has weights but no method to draw them.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 3)
        >>> other = fresh_copy(layer)
        >>> other.weight.shape, bool((other.weight == layer.weight).any())
        (torch.Size([3, 2]), False)
    """
    other = copy.deepcopy(module)
    if initialize is not None:
        initialize(other)
        return other
    unknown = _reset(other, "")
    if unknown:
        raise ValueError(
            f"layers of {type(module).__name__} must have reset_parameters() to draw new weights, "
            f"got {', '.join(unknown)} without it; give a function that draws all weights of a "
            "module (initialize=...)"
        )
    return other


def _reset(module: nn.Module, name: str) -> list[str]:
    """Draw new weights for a module; return the layers for which this is not possible."""
    children = [
        layer
        for child_name, child in module.named_children()
        for layer in _reset(child, f"{name}.{child_name}" if name else child_name)
    ]
    # nn.MultiheadAttention calls the method _reset_parameters
    reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
    if callable(reset):
        reset()
        return []
    own = next(module.parameters(recurse=False), None)
    return children if own is None else [name or type(module).__name__, *children]
