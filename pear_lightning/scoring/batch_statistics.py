"""Layers whose result or state depends on which rows are evaluated together."""

from collections.abc import Iterator
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
    return any(_uses_them(each) for each in _layers(forward))


def shares_batch_statistics(forward: Any) -> bool:
    """Return whether a model, in its current mode, shares statistics of a batch among ranks.

    All ranks then have to evaluate it equally often, or some wait forever.

    Args:
        forward: As in :func:`uses_batch_statistics`.

    Example:
        >>> shares_batch_statistics(nn.BatchNorm1d(3)), shares_batch_statistics(nn.SyncBatchNorm(3))
        (False, True)
    """
    found = (each for each in _layers(forward) if isinstance(each, nn.SyncBatchNorm))
    return any(_uses_them(each) for each in found)


def _layers(forward: Any) -> Iterator[nn.Module]:
    for module in modules_behind(forward):
        yield from module.modules()


def _uses_them(layer: nn.Module) -> bool:
    if not isinstance(layer, WITH_STATISTICS):
        return False
    if layer.running_mean is None:
        return isinstance(layer, _OF_BATCHES)
    return layer.training
