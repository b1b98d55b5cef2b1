"""Kernels with the derivatives that explanations need."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


def has_recurrent_layers(module: nn.Module | None) -> bool:
    """Return whether a module contains RNN, GRU or LSTM layers.

    Args:
        module: The module; the result is ``False`` for ``None``.
    """
    return module is not None and any(isinstance(m, nn.RNNBase) for m in module.modules())


@contextmanager
def differentiable_kernels(module: nn.Module | None) -> Iterator[None]:
    """Select kernels with the derivatives that explanations need.

    The recurrent layers of cuDNN have no derivative in eval mode and no second derivative, so cuDNN
    is disabled for them. Fused attention has no second derivative; it is replaced while gradients
    are enabled, and used otherwise.

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
