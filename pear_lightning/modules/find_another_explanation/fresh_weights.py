"""A network of the same shape with other random weights."""

import copy
from collections.abc import Callable

from torch import nn

Initializer = Callable[[nn.Module], None]


def fresh_copy(module: nn.Module, initialize: Initializer | None = None) -> nn.Module:
    """Return a copy of a module with weights drawn anew.

    Args:
        module: The module; it stays as it is.
        initialize: Draws all weights of the copy, in place. ``None`` calls ``reset_parameters`` of
            every layer, as torch's own layers have it.

    Returns:
        The copy.

    Raises:
        ValueError: If a layer has weights and no way to draw them anew.

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
            f"{type(module).__name__} has weights that cannot be drawn anew: {', '.join(unknown)} "
            "without reset_parameters(); give a function that draws all weights of a module "
            "(initialize=...)"
        )
    return other


def _reset(module: nn.Module, name: str) -> list[str]:
    """Draw all weights of a module anew; return the layers where that is not possible."""
    children = [
        layer
        for child_name, child in module.named_children()
        for layer in _reset(child, f"{name}.{child_name}" if name else child_name)
    ]
    # attention has the method under a name of its own
    reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
    if callable(reset):
        reset()
        return []
    own = next(module.parameters(recurse=False), None)
    return children if own is None else [name or type(module).__name__, *children]
