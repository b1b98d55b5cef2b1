"""Hard ranks, for metrics; the loss uses :mod:`pear_lightning.functional.soft_rank`."""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.validation import at_least_float32, check_choice, check_rows

Ties = Literal["average", "dense", "ordinal"]
TIES: tuple[str, ...] = ("average", "dense", "ordinal")


@torch.no_grad()
def hard_ranks(x: Tensor, *, ties: Ties = "average", descending: bool = False) -> Tensor:
    """Ranks of the entries of each row, from 1; no gradient.

    Args:
        x: ``(..., n)`` floating, n >= 1, any leading dimensions.
        ties: ranks of equal entries: ``"average"``, the mean of their positions (SciPy's default);
            ``"dense"``, one common rank without a gap after it; ``"ordinal"``, their positions,
            the lower index first.
        descending: whether rank 1 is the largest entry instead of the smallest.

    Returns:
        ``(..., n)``, float64 for float64 input and float32 otherwise.

    Raises:
        TypeError: if ``x`` is not floating.
        ValueError: for an empty last dimension or an unknown ``ties``.

    Example:
        >>> hard_ranks(torch.tensor([3.0, 1.0, 2.0, 2.0]))
        tensor([4.0000, 1.0000, 2.5000, 2.5000])
        >>> hard_ranks(torch.tensor([3.0, 1.0, 2.0, 2.0]), ties="dense", descending=True)
        tensor([1., 3., 2., 2.])
    """
    check_choice("ties", ties, TIES)
    check_rows("x", x)
    dtype = at_least_float32(x[..., :0]).dtype
    values, order = x.sort(dim=-1, descending=descending, stable=True)
    position = torch.arange(1, x.shape[-1] + 1, device=x.device).expand_as(order)
    if ties == "ordinal":
        ranks = position.to(dtype)
    else:
        new = values[..., 1:] != values[..., :-1]
        group = torch.cat([torch.zeros_like(order[..., :1]), new.cumsum(dim=-1)], dim=-1)
        if ties == "dense":
            ranks = (group + 1).to(dtype)
        else:
            size = torch.zeros_like(group).scatter_add(-1, group, torch.ones_like(group))
            last = size.cumsum(dim=-1)  # position of each group's last entry
            ranks = (last - (size - 1) / 2).gather(-1, group).to(dtype)
    return ranks.scatter(-1, order, ranks)


def average_ranks(x: Tensor) -> Tensor:
    """Ascending ranks of each row ``(..., n)``; equal entries share the mean of their positions.

    Example:
        >>> average_ranks(torch.tensor([5.0, 5.0, 0.0]))
        tensor([2.5000, 2.5000, 1.0000])
    """
    return hard_ranks(x, ties="average")
