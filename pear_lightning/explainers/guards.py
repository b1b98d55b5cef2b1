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


@contextmanager
def twice_differentiable(module: nn.Module | None) -> Iterator[None]:
    """Choose kernels that have a second derivative, where the caller will ask for one.

    Fused attention and cuDNN's recurrent networks have none. With gradients disabled nothing is
    changed, so evaluation keeps the fast kernels.

    Args:
        module: The model, searched for recurrent layers.
    """
    if not torch.is_grad_enabled():
        yield
    elif module is not None and any(isinstance(m, nn.RNNBase) for m in module.modules()):
        with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
            yield
    else:
        with sdpa_kernel(SDPBackend.MATH):
            yield
