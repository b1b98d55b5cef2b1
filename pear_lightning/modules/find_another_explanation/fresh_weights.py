"""Copies of a network with new random weights."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import suppress

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

Initializer = Callable[[nn.Module], None]


def fresh_copy(module: nn.Module, initialize: Initializer | None = None) -> nn.Module:
    """Return a copy of a module with newly drawn weights.

    Weights with a parametrization of :mod:`torch.nn.utils.parametrizations` (weight norm,
    orthogonal, spectral norm) are drawn by their layer and then parametrized.

    Args:
        module: The module, which is not changed.
        initialize: Draws all weights of the copy, in place. ``None`` calls ``reset_parameters`` of
            every layer, which the layers of torch have.

    Raises:
        ValueError: If some weights are not drawn by the method of any layer, or the module cannot
            be copied.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 3)
        >>> other = fresh_copy(layer)
        >>> other.weight.shape, bool((other.weight == layer.weight).any())
        (torch.Size([3, 2]), False)
    """
    try:
        other = copy.deepcopy(module)
    except RuntimeError as error:
        raise ValueError(
            f"module must allow copy.deepcopy, got {type(module).__name__}; weight norm and "
            "spectral norm of torch.nn.utils.parametrizations allow it, those of torch.nn.utils do "
            "not"
        ) from error
    if initialize is not None:
        initialize(other)
        return other
    with torch.no_grad():
        kept = _reset_all(other)
    if kept:
        raise ValueError(
            f"layers of {type(module).__name__} must have reset_parameters() to draw new weights, "
            f"got no new values for {', '.join(kept)}; give a function that draws all weights of a "
            "module (initialize=...)"
        )
    return other


def _reset_all(module: nn.Module) -> list[str]:
    """Draw new weights for all layers; return the names of weights that no layer has drawn."""
    with parametrize.cached():  # layers draw into the cached tensors
        parametrized = [
            (layer, weight, getattr(layer, weight))
            for layer in module.modules()
            if parametrize.is_parametrized(layer)
            for weight in layer.parametrizations  # type: ignore[union-attr]
        ]
        parameters = dict(filter(_has_values, module.named_parameters()))
        for tensor in (*parameters.values(), *(each[-1] for each in parametrized)):
            tensor.fill_(math.nan)  # marks what no layer draws
        for layer in _children_first(module):
            # nn.MultiheadAttention calls the method _reset_parameters
            reset = getattr(layer, "reset_parameters", getattr(layer, "_reset_parameters", None))
            if callable(reset):
                reset()
    for layer, weight, values in parametrized:
        if not values.isnan().any():
            with suppress(NotImplementedError, RuntimeError):  # without a right inverse
                setattr(layer, weight, values)
    return [name for name, each in parameters.items() if each.isnan().any()]


def _children_first(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        yield from _children_first(child)
    yield module


def _has_values(named: tuple[str, nn.Parameter]) -> bool:
    """Return whether a parameter holds numbers that can be drawn."""
    _, parameter = named
    return not is_lazy(parameter) and (parameter.is_floating_point() or parameter.is_complex())
