"""Check whether a model computes the same function in train mode and in eval mode."""

import torch
from torch import Tensor, nn

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import run_model
from pear_lightning.training.random_states import RandomStates

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

    Dropout and batch norm are recognised by type. Other layers (stochastic depth, moving averages,
    custom layers) are recognised by running both modes on a batch: the modes differ if a result
    differs in any bit, or if train mode changes a buffer or draws random numbers, even if this has
    no effect on the result of this batch. Buffers and random states are restored. State that is
    neither a buffer nor a generator of random numbers is not noticed.

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
    draws = RandomStates(module, inputs.device)
    try:
        with torch.no_grad():
            # copies, because a model may write to its inputs
            in_training = run_model(module.train(), inputs.clone(), kwargs)
            if draws.changed() or not _equal(buffers, dict(module.named_buffers())):
                return False
            return torch.equal(in_training, module.eval()(inputs.clone(), **kwargs))
    finally:
        draws.restore()
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                if name in buffers:
                    buffer.copy_(buffers[name])
        for each, training in flags.items():
            each.training = training


def _equal(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    """Return whether buffers are the same; NaN equals NaN."""
    return before.keys() == after.keys() and all(
        torch.equal(each.nan_to_num(), after[name].nan_to_num())
        and torch.equal(each.isnan(), after[name].isnan())
        for name, each in before.items()
    )
