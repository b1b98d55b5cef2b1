"""Whether a model is the same function in training and at inference."""

import torch
from torch import Tensor, nn

_DROPOUT = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def same_in_both_modes(module: nn.Module, inputs: Tensor) -> bool:
    """Return whether the module computes the same in train mode and in eval mode.

    Dropout and batch norm are recognised by type; anything else (stochastic depth, layers of
    one's own) by running both modes on a batch and comparing the results to the last bit.
    Buffers and the random state are put back.

    Args:
        module: The model.
        inputs: A batch for the comparison, ``(B, *S)``.

    Returns:
        ``True`` if logits from eval mode may stand for logits from train mode.
    """
    for each in module.modules():
        if isinstance(each, _DROPOUT) and each.p > 0:
            return False
        if isinstance(each, nn.RNNBase | nn.MultiheadAttention) and each.dropout > 0:
            return False
        if isinstance(each, _BATCH_NORM):
            return False
    flags = {each: each.training for each in module.modules()}
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    devices = [inputs.device] if inputs.is_cuda else []
    try:
        with torch.no_grad(), torch.random.fork_rng(devices):
            in_training = module.train()(inputs)
            in_eval = module.eval()(inputs)
            return torch.equal(in_training, in_eval)
    finally:
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                buffer.copy_(buffers[name])
        for each, training in flags.items():
            each.training = training
