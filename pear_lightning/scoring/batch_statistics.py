"""Layers whose result or state depends on which rows are evaluated together."""

from typing import Any

from torch import nn

from pear_lightning.scoring.modules_behind import modules_behind

_OF_BATCHES = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
WITH_STATISTICS = (*_OF_BATCHES, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
"""Layers that may have running statistics."""


def uses_batch_statistics(forward: Any) -> bool:
    """Return whether a model, in its current mode, depends on the rows of a batch together.

    This holds if batch norm normalises with the statistics of the batch (in training mode, or
    without running statistics), or if a layer updates running statistics.

    Args:
        forward: A module, or any callable; see :func:`modules_behind
            <pear_lightning.scoring.modules_behind.modules_behind>`.

    Example:
        >>> norm = nn.BatchNorm1d(3)
        >>> uses_batch_statistics(norm), uses_batch_statistics(norm.eval())
        (True, False)
    """
    for each in (part for module in modules_behind(forward) for part in module.modules()):
        if not isinstance(each, WITH_STATISTICS):
            continue
        if each.running_mean is None:
            if isinstance(each, _OF_BATCHES):
                return True
        elif each.training:
            return True
    return False
