"""Calls of a model with replaced weights."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.scoring.eval_mode import module_of
from pear_lightning.scoring.scorer import Forward


class Called(nn.Module):
    """A module that calls a method of another module, with weights that can be replaced.

    Args:
        owner: The module that has the weights.
        call: The module itself, or a callable that calls it.
    """

    def __init__(self, owner: nn.Module, call: Callable[..., Tensor]) -> None:
        super().__init__()
        self.owner = owner
        self.call = (call,)  # in a tuple, so that it is not registered as a second child

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Call ``call``.

        Args:
            *args: Its arguments.
            **kwargs: Its keyword arguments.
        """
        return self.call[0](*args, **kwargs)


def in_dtype(forward: Forward, dtype: torch.dtype) -> Forward:
    """Return a model that computes in a floating dtype or in one of higher precision.

    In each call, weights, buffers and arguments of lower precision are converted to ``dtype``;
    gradients flow back to the original weights.

    Args:
        forward: A module or a method of a module; anything else is returned unchanged.
        dtype: The floating dtype.

    Returns:
        The converted model; the model itself if there is nothing to convert.

    Example:
        >>> layer = nn.Linear(2, 1, dtype=torch.bfloat16)
        >>> in_dtype(layer, torch.float32)(torch.rand(3, 2)).dtype
        torch.float32
        >>> in_dtype(layer, torch.bfloat16) is layer
        True
    """
    owner = module_of(forward)
    if owner is None or not any(_is_coarser(value, dtype) for _, value in _state(owner)):
        return forward
    forward = getattr(forward, "_orig_mod", forward)  # the module wrapped by torch.compile
    return _InDtype(Called(getattr(owner, "_orig_mod", owner), forward), dtype)


class _InDtype(nn.Module):
    def __init__(self, called: Called, dtype: torch.dtype) -> None:
        super().__init__()
        self.called = called
        self.dtype = dtype

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        weights = {name: self._converted(value) for name, value in _state(self.called)}
        given = tuple(map(self._converted, args))
        named = {name: self._converted(value) for name, value in kwargs.items()}
        return torch.func.functional_call(self.called, weights, given, named)

    def _converted(self, value: Any) -> Any:
        return value.to(self.dtype) if _is_coarser(value, self.dtype) else value


def _state(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(module.named_parameters(), module.named_buffers())


def _is_coarser(value: Any, dtype: torch.dtype) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return False
    return value.dtype != dtype and torch.promote_types(value.dtype, dtype) == dtype
