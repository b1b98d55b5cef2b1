"""The module behind a callable, and a context manager for eval mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn

from pear_lightning.scoring.modules_behind import modules_behind


def module_of(forward: Any) -> nn.Module | None:
    """Return the module behind a callable: itself, or the owner of a bound method.

    Args:
        forward: A module, a bound method of a module, a ``functools.partial`` of these, or any
            callable.

    Returns:
        The module; ``None`` if the callable belongs to no module.
    """
    while isinstance(forward, partial):
        forward = forward.func
    if isinstance(forward, nn.Module):
        return forward
    owner = getattr(forward, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None


@contextmanager
def eval_mode(forward: Any) -> Iterator[None]:
    """Put the modules behind a callable in eval mode, and restore the mode of each on exit.

    Args:
        forward: A module, or any callable; see :func:`modules_behind
            <pear_lightning.scoring.modules_behind.modules_behind>`.
    """
    training = [m for module in modules_behind(forward) for m in module.modules() if m.training]
    for each in training:
        each.training = False
    try:
        yield
    finally:
        for each in training:
            each.training = True
