"""Masks of decoy images: correct annotations, and annotations of lower quality."""

from typing import Literal

import torch
from torch import Tensor

DecoyMask = Literal[
    "own_block", "all_corners", "half_block", "wrong_place", "random", "all", "none"
]


def corner_blocks(ends: Tensor, size: int, block: int) -> Tensor:
    """Mark one block in a corner of each image.

    Args:
        ends: End of the rows and end of the columns, ``(N, 2)`` bool; true = bottom, right.
        size: Height and width of an image.
        block: Height and width of the block.

    Returns:
        ``(N, size, size)`` bool.

    Example:
        >>> corner_blocks(torch.tensor([[True, False]]), 3, 1).int()
        tensor([[[0, 0, 0],
                 [0, 0, 0],
                 [1, 0, 0]]], dtype=torch.int32)
    """
    place = torch.arange(size)
    sides = torch.where(ends[..., None], place >= size - block, place < block)
    return sides[:, 0, :, None] & sides[:, 1, None, :]


def decoy_masks(kind: DecoyMask, own: Tensor, block: int, generator: torch.Generator) -> Tensor:
    """Return masks of a given kind, made from the correct masks.

    Args:
        kind: ``"own_block"``, the correct mask; ``"all_corners"``; ``"half_block"``, the block
            without the first half of its pixels in row order; ``"wrong_place"``, eight columns of
            the two outermost rows, on the side (top or bottom) without the block; ``"random"``,
            every pixel with probability 1/2; ``"all"``; ``"none"``.
        own: Mask of the block of each image, ``(N, size, size)`` bool.
        block: Height and width of a block.
        generator: Random generator of ``"random"``.

    Returns:
        ``(N, size, size)`` bool.

    Example:
        >>> own = corner_blocks(torch.tensor([[False, False]]), 4, 2)
        >>> decoy_masks("half_block", own, 2, torch.Generator())[0].int()
        tensor([[0, 0, 0, 0],
                [1, 1, 0, 0],
                [0, 0, 0, 0],
                [0, 0, 0, 0]], dtype=torch.int32)

    References:
        F. Friedrich, W. Stammer, P. Schramowski, K. Kersting. *A typology for exploring the
        mitigation of shortcut behaviour.* Nature Machine Intelligence 5, 2023 (incomplete, wrong,
        random and adversarial feedback).
    """
    n, size, _ = own.shape
    match kind:
        case "own_block":
            return own
        case "all_corners":
            ends = torch.cartesian_prod(*[torch.tensor([False, True])] * 2)
            return corner_blocks(ends, size, block).any(dim=0).expand_as(own)
        case "half_block":
            number = own.flatten(1).cumsum(dim=1).view_as(own)  # of a pixel in its block, from 1
            return own & (number > block * block // 2)
        case "wrong_place":
            strip = torch.zeros_like(own)
            above = ~own[:, 0].any(dim=1)
            columns = slice(size // 2 - 4, size // 2 + 4)
            strip[above, :2, columns] = True
            strip[~above, -2:, columns] = True
            return strip
        case "random":
            return torch.rand(n, size, size, generator=generator) < 0.5
        case "all":
            return torch.ones_like(own)
        case "none":
            return torch.zeros_like(own)
