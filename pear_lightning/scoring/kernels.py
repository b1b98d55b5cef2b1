"""Kernels with the derivatives that explanations need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from pear_lightning.scoring.modules_behind import modules_behind


def has_recurrent_layers(forward: Any) -> bool:
    """Return whether a module behind a callable contains RNN, GRU or LSTM layers.

    Args:
        forward: A module, or any callable.
    """
    return any(
        isinstance(layer, nn.RNNBase)
        for module in modules_behind(forward)
        for layer in module.modules()
    )


@contextmanager
def differentiable_kernels(forward: Any) -> Iterator[None]:
    """Select kernels with the derivatives that explanations need.

    The recurrent layers of cuDNN have no derivative in eval mode and no second derivative, so cuDNN
    is disabled for them. Fused attention has no second derivative; it is replaced while gradients
    are enabled, and used otherwise.

    Args:
        forward: The model, searched for recurrent layers.
    """
    if has_recurrent_layers(forward):
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
