"""The conditions under which a model is explained."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


def module_of(forward: Any) -> nn.Module | None:
    """Return the module behind a callable: itself, or the owner of a bound method.

    Args:
        forward: A module, a bound method of one, a ``functools.partial`` of these, or any callable.

    Returns:
        The module, or ``None`` where there is none to be found.
    """
    while isinstance(forward, partial):
        forward = forward.func
    if isinstance(forward, nn.Module):
        return forward
    owner = getattr(forward, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None


@contextmanager
def eval_mode(module: nn.Module | None) -> Iterator[None]:
    """Put a module and its children in eval mode, and give each its own flag back.

    Args:
        module: The module; ``None`` does nothing.
    """
    training = [] if module is None else [m for m in module.modules() if m.training]
    for each in training:
        each.training = False
    try:
        yield
    finally:
        for each in training:
            each.training = True


def has_recurrent_layers(module: nn.Module | None) -> bool:
    """Return whether a module contains RNN, GRU or LSTM layers.

    Args:
        module: The module, or ``None``.

    Returns:
        Whether it does; ``False`` for ``None``.
    """
    return module is not None and any(isinstance(m, nn.RNNBase) for m in module.modules())


@contextmanager
def differentiable_kernels(module: nn.Module | None) -> Iterator[None]:
    """Choose kernels that have the derivatives an explanation needs.

    cuDNN's recurrent layers have no derivative in eval mode and no second one. Fused attention
    has no second derivative; it is avoided while gradients are enabled, and kept in evaluation.

    Args:
        module: The model, searched for recurrent layers.
    """
    if has_recurrent_layers(module):
        with torch.backends.cudnn.flags(enabled=False), _twice_differentiable_attention():
            yield
    else:
        with _twice_differentiable_attention():
            yield


@contextmanager
def _twice_differentiable_attention() -> Iterator[None]:
    if torch.is_grad_enabled():
        with sdpa_kernel(SDPBackend.MATH):
            yield
    else:
        yield
