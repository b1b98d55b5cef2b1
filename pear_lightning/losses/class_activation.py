"""Maps of a layer beside masks of the inputs."""

from collections.abc import Callable

from torch import Tensor, where
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

_POOLS: dict[int, Callable[..., Tensor]] = {
    1: F.adaptive_avg_pool1d,
    2: F.adaptive_avg_pool2d,
    3: F.adaptive_avg_pool3d,
}


def between_zero_and_one(maps: Tensor) -> Tensor:
    """Return maps with the smallest value of each at 0 and the largest at 1.

    A constant map becomes 0.

    Args:
        maps: ``(B, 1, *L)``.

    Returns:
        Maps, ``(B, 1, *L)``.

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
    """Return which share of each position of a map is marked.

    Args:
        mask: Mask of the inputs, ``(B, C, *S)``, 1 in dimensions that it is broadcast over; or
            ``(B, *S)``. A position is marked where a channel is.
        maps: ``(B, 1, *L)``.

    Returns:
        Shares from 0 to 1, ``(B, 1, *L)``.

    Raises:
        ValueError: If the mask has not as many dimensions as the map.

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
    if mask.ndim != maps.ndim or len(mask) != len(maps) or maps.ndim - 2 not in _POOLS:
        raise ValueError(
            f"mask must have the positions of inputs (B, C, *S) with {maps.ndim - 2} dimensions S, "
            f"as the maps {tuple(maps.shape)} of the layer have, got {tuple(given)}"
        )
    marked = mask.to(maps.dtype).amax(dim=1, keepdim=True)
    shares: Tensor = _POOLS[maps.ndim - 2](marked, maps.shape[2:])
    return shares
