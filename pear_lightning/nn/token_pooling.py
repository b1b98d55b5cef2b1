"""Positions and pooling of the tokens of padded texts."""

import torch
from torch import Tensor


def positions_of_tokens(mask: Tensor) -> Tensor:
    """Return the number of tokens before each position, ``(B, L)`` long, the same for any padding.

    Args:
        mask: ``(B, L)`` bool, true for a token.

    Example:
        >>> positions_of_tokens(torch.tensor([[False, True, True], [True, False, False]]))
        tensor([[0, 0, 1],
                [0, 0, 0]])
    """
    return (mask.cumsum(dim=1) - 1).clamp(min=0)


def positions_from_first_token(mask: Tensor) -> Tensor:
    """Return an order of the positions that moves padding in front of a text behind it.

    Args:
        mask: ``(B, L)``, non-zero for a token.

    Returns:
        ``(B, L)`` long: the position that comes first, second, and so on. Zeros between tokens stay
        where they are.

    Example:
        >>> positions_from_first_token(torch.tensor([[0, 1, 1, 1], [1, 0, 1, 0]]))
        tensor([[1, 2, 3, 0],
                [0, 1, 2, 3]])
    """
    places = torch.arange(mask.shape[1], device=mask.device)
    first = (mask != 0).to(torch.uint8).argmax(dim=1, keepdim=True)
    return (places + first) % mask.shape[1]


def last_token(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the vector ``(B, D)`` of the last token of each text that is not padding.

    Args:
        hidden: ``(B, L, D)``.
        mask: ``(B, L)``, non-zero for a token.

    Example:
        >>> hidden = torch.arange(6.0).view(1, 6, 1)
        >>> last_token(hidden, torch.tensor([[0, 1, 1, 1, 0, 0]]))
        tensor([[3.]])
    """
    places = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask != 0, places, 0).amax(dim=1)
    return hidden[torch.arange(len(hidden), device=mask.device), last]


def mean_of_tokens(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean ``(B, D)`` over the tokens of each text that are not padding.

    Args:
        hidden: ``(B, L, D)``.
        mask: ``(B, L)`` bool, true for a token; ``None`` for no padding.

    Example:
        >>> hidden = torch.tensor([[[2.0], [4.0], [9.0]]])
        >>> mean_of_tokens(hidden, torch.tensor([[True, True, False]]))
        tensor([[3.]])
    """
    if mask is None:
        return hidden.mean(dim=1)
    total = hidden.masked_fill(~mask[..., None], 0).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)
