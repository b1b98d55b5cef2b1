"""Check whether a model computes the same function in train mode and in eval mode."""

import random

import torch
from torch import Tensor, nn

from pear_lightning.scoring.batch import Batch

_DROPOUT = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def same_in_both_modes(module: nn.Module, batch: Batch) -> bool:
    """Return whether a module computes the same in train mode and in eval mode.

    Dropout and batch norm are recognised by type. Other layers (stochastic depth, custom layers)
    are recognised by running both modes on a batch: the modes differ if a result differs in any
    bit, or if train mode draws random numbers, even if these have no effect on this batch. Buffers
    and random states are restored.

    Args:
        module: The model.
        batch: The batch on which both modes are compared.

    Returns:
        ``True`` if logits from eval mode can replace logits from train mode.
    """
    for each in module.modules():
        if isinstance(each, _DROPOUT) and each.p > 0:
            return False
        if isinstance(each, nn.RNNBase | nn.MultiheadAttention) and each.dropout > 0:
            return False
        if isinstance(each, _BATCH_NORM):
            return False
    inputs, kwargs = batch.inputs, batch.forward_kwargs
    flags = {each: each.training for each in module.modules()}
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    devices = [inputs.device] if inputs.is_cuda else []
    own_draws = random.getstate()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices):
            draws = _random_states(inputs.device)
            in_training = module.train()(inputs, **kwargs)
            drawn = any(
                not torch.equal(before, after)
                for before, after in zip(draws, _random_states(inputs.device), strict=True)
            )
            if drawn or random.getstate() != own_draws:
                return False
            return torch.equal(in_training, module.eval()(inputs, **kwargs))
    finally:
        random.setstate(own_draws)
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                buffer.copy_(buffers[name])
        for each, training in flags.items():
            each.training = training


def _random_states(device: torch.device) -> list[Tensor]:
    """Return the states of the torch generators that a model on the device uses."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states
