"""The module behind a callable, and eval mode with every module's flag given back."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn


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
