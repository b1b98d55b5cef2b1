"""The module behind a callable, and a context manager for eval mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from pear_lightning.scoring.batch_statistics import (
    WITH_STATISTICS,
    has_no_other_statistics,
    no_other_statistics,
)
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

    A graph that is built meanwhile stays valid afterwards. The next forward pass in train mode
    writes to the running statistics of batch norm, without a trace that autograd could notice, so a
    graph refers to copies of them. Modules of timm do not compute hidden states again in the
    backward pass, as modules of transformers never do in eval mode, because that pass may run after
    the exit, in train mode and with other kernels.

    Args:
        forward: A module, or any callable; see :func:`modules_behind
            <pear_lightning.scoring.modules_behind.modules_behind>`.

    Raises:
        ValueError: If a layer uses statistics of the batch in eval mode, too, so that the result of
            a sample would depend on the others.
    """
    outer = modules_behind(forward)
    modules = list(dict.fromkeys(each for module in outer for each in module.modules()))
    if any(has_no_other_statistics(each) for each in modules):
        raise no_other_statistics(outer)
    training = [each for each in modules if each.training]
    # the attribute that set_grad_checkpointing() of timm sets, looked up without __getattr__
    checkpointing: list[Any] = [each for each in modules if vars(each).get("grad_checkpointing")]
    _set_training(training, False)
    for each in checkpointing:
        each.grad_checkpointing = False
    statistics = [] if torch.compiler.is_compiling() else _with_copies_of_statistics(training)
    try:
        yield
    finally:
        _set_training(training, True)
        for each in checkpointing:
            each.grad_checkpointing = True
        for norm, mean, variance in statistics:
            norm.running_mean, norm.running_var = mean, variance


@contextmanager
def copied_statistics(forward: Any) -> Iterator[None]:
    """Let a graph refer to copies of the running statistics of batch norm.

    For a pass that is compiled as a whole, in which :func:`eval_mode` cannot replace them.

    Args:
        forward: A module, or any callable.
    """
    modules = [each for module in modules_behind(forward) for each in module.modules()]
    statistics = _with_copies_of_statistics(list(dict.fromkeys(modules)))
    try:
        yield
    finally:
        for norm, mean, variance in statistics:
            norm.running_mean, norm.running_var = mean, variance


def _set_training(modules: list[nn.Module], mode: bool) -> None:
    """Set the mode of each module, without the search of ``nn.Module.__setattr__`` if possible."""
    for each in modules:
        if type(each).__setattr__ is nn.Module.__setattr__ and not torch.compiler.is_compiling():
            vars(each)["training"] = mode
        else:  # a scripted module, for example, keeps its mode elsewhere
            each.training = mode


def _with_copies_of_statistics(modules: list[nn.Module]) -> list[tuple[Any, Any, Any]]:
    """Replace running statistics by copies, if a graph is built, and return the originals."""
    if not torch.is_grad_enabled():
        return []
    norms: list[Any] = [each for each in modules if isinstance(each, WITH_STATISTICS)]
    originals = [(n, n.running_mean, n.running_var) for n in norms if n.running_mean is not None]
    for norm, mean, variance in originals:
        norm.running_mean, norm.running_var = mean.clone(), variance.clone()
    return originals
