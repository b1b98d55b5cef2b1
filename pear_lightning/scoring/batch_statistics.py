"""Layers whose result or state depends on which rows are evaluated together."""

from collections.abc import Iterator, Sequence
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


def has_no_other_statistics(layer: nn.Module) -> bool:
    """Return whether a layer normalises with the statistics of the batch even in eval mode.

    Args:
        layer: The layer itself, not one that contains it.

    Example:
        >>> [has_no_other_statistics(each(3, track_running_stats=False))
        ...     for each in (nn.BatchNorm1d, nn.InstanceNorm1d)]
        [True, False]
    """
    return isinstance(layer, _OF_BATCHES) and layer.running_mean is None


def no_other_statistics(modules: Sequence[nn.Module]) -> ValueError:
    """Return the error for modules of which a layer has no statistics but those of the batch.

    Args:
        modules: The outermost modules.
    """
    named = [pair for module in modules for pair in module.named_modules()]
    name, layer = next(pair for pair in named if has_no_other_statistics(pair[1]))
    return ValueError(
        "model must compute each sample by itself in eval mode, got "
        f"{f'layer {name!r}' if name else 'a layer'} ({type(layer).__name__}) without running "
        "statistics, which normalises with those of the batch; give it track_running_stats=True, "
        "or use another layer, such as GroupNorm"
    )


def _layers(forward: Any) -> Iterator[nn.Module]:
    for module in modules_behind(forward):
        yield from module.modules()


def _uses_them(layer: nn.Module) -> bool:
    if not isinstance(layer, WITH_STATISTICS):
        return False
    return has_no_other_statistics(layer) if layer.running_mean is None else layer.training
