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
def differentiable_kernels(forward: Any, *, by_inputs: bool = True) -> Iterator[None]:
    """Select kernels with the derivatives that explanations need, and the fastest ones otherwise.

    ====================  =================  ==========================  ========================
    gradients             with respect to    attention                   recurrent layers
    ====================  =================  ==========================  ========================
    enabled (training)    inputs             math, twice differentiable  without cuDNN
    enabled (training)    weights only       fused                       without cuDNN
    disabled              inputs             fused                       without cuDNN
    disabled              none               fused                       cuDNN
    ====================  =================  ==========================  ========================

    Fused attention has no second derivative. The recurrent layers of cuDNN have none either, and in
    eval mode, in which models are explained, they have no derivative at all.

    Args:
        forward: The model, searched for recurrent layers.
        by_inputs: Whether gradients with respect to the inputs are taken in the context. With
            gradients enabled, training then takes second derivatives.
    """
    trains = torch.is_grad_enabled()
    if (by_inputs or trains) and has_recurrent_layers(forward):
        with torch.backends.cudnn.flags(enabled=False), _attention(twice=by_inputs and trains):
            yield
    else:
        with _attention(twice=by_inputs and trains):
            yield


@contextmanager
def _attention(twice: bool) -> Iterator[None]:
    if twice:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    else:
        yield
