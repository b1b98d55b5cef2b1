"""Comparison of the maps of a layer with masks of the inputs."""

from collections.abc import Callable

from torch import Tensor, where
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.regions import zeros_and_ones

_POOLS: dict[int, Callable[..., Tensor]] = {
    1: F.adaptive_avg_pool1d,
    2: F.adaptive_avg_pool2d,
    3: F.adaptive_avg_pool3d,
}


def between_zero_and_one(maps: Tensor) -> Tensor:
    """Return maps scaled so that the smallest value of each is 0 and the largest 1.

    A constant map becomes 0.

    Args:
        maps: ``(B, 1, *L)``.

    Example:
        >>> import torch
        >>> between_zero_and_one(torch.tensor([[[-1.0, 0.0, 3.0]], [[2.0, 2.0, 2.0]]]))
        tensor([[[0.0000, 0.2500, 1.0000]],
                [[0.0000, 0.0000, 0.0000]]])
    """
    rows = maps.flatten(1)
    least = rows.amin(dim=1, keepdim=True)
    width = rows.amax(dim=1, keepdim=True) - least
    scaled: Tensor = (rows - least) / where(width > 0, width, 1)
    return scaled.reshape(maps.shape)


def mask_at(mask: Tensor, maps: Tensor) -> Tensor:
    """Return the marked share of each position of a map, from 0 to 1, ``(B, 1, *L)``.

    Args:
        mask: Mask of the inputs, bool or zeros and ones, ``(B, C, *S)``, size 1 in broadcast
            dimensions; or ``(B, *S)``; B may be 1. A position is marked if one of its channels is.
        maps: ``(B, 1, *L)``.

    Raises:
        ValueError: If the mask does not have as many dimensions as the map, or a value is neither
            0 nor 1.

    Example:
        >>> import torch
        >>> mask = torch.zeros(1, 4, 4)
        >>> mask[0, 0, 0] = 1  # one pixel of four
        >>> mask_at(mask, torch.rand(1, 1, 2, 2))[0, 0, 0, 0].item()
        0.25
    """
    given = mask.shape
    if mask.ndim == maps.ndim - 1:
        mask = mask[:, None]
    fits = mask.ndim == maps.ndim and len(mask) in (1, len(maps))
    if not fits or maps.ndim - 2 not in _POOLS:
        raise ValueError(
            f"mask must have the positions of inputs (B, C, *S) with {maps.ndim - 2} dimensions S, "
            f"like the maps {tuple(maps.shape)} of the layer, got {tuple(given)}"
        )
    marked = zeros_and_ones(mask, "mask").to(maps.dtype).amax(dim=1, keepdim=True)
    shares: Tensor = _POOLS[maps.ndim - 2](marked, maps.shape[2:])
    return shares.expand(len(maps), *shares.shape[1:])
