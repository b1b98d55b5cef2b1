"""Block search of isotonic regression, for :mod:`pear_lightning.functional.soft_rank`.

Decreasing isotonic regression replaces a sequence y by its means over blocks. With prefix sums
c_0 = 0, c_i = y_1 + ... + y_i, the means are the slopes of the least concave majorant of the points
(i, c_i), and a block ends where that majorant has a vertex. Point i is a vertex exactly if every
slope from a point on its left is larger than every slope to a point on its right:

    min_{j < i} (c_i - c_j)/(i - j)  >  max_{k > i} (c_k - c_i)/(k - i).

All searches take ``values (N, n)`` sorted in decreasing order, regress y = values - (n, ..., 1),
and return ``blocks (N, n)``, int64: the number of the block of every position, from 1. They differ
only in speed. Prefix sums lose digits by cancellation, so values should be float64.
"""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def _slope_table(n: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return (table, offset) such that offset + table @ values holds all slopes around all points.

    Row (j, side, i) of the (2 n n, n) table gives the slope from point j to point i (side 0, j < i)
    or minus the slope from point i to point j + 1 (side 1, j >= i). All other entries have an
    infinite offset, so that a minimum ignores them.
    """
    # plain tensors even if the first call comes from inside inference mode
    with torch.inference_mode(mode=False), torch.no_grad():
        point = torch.arange(n + 1)
        j, i = point[:n, None, None], point[None, :n, None]
        entry = point[None, None, :n]
        left = ((entry >= j) & (entry < i)) / (i - j).clamp(min=1)
        right = ((entry >= i) & (entry <= j)) / (j + 1 - i).clamp(min=1)
        table = torch.stack([left, -right], dim=1).double()
        offset = -(table @ torch.arange(n, 0, -1, dtype=torch.float64))
        meaningless = torch.stack([j >= i, j < i], dim=1).squeeze(-1)
        offset[meaningless] = torch.inf
        return (
            table.reshape(-1, n).to(device=device, dtype=dtype),
            offset.reshape(-1, 1).to(device=device, dtype=dtype),
        )


def blocks_by_table(values: Tensor) -> Tensor:
    """Blocks of decreasing isotonic regression from one matrix product; O(N n²) memory.

    O(N n³) work, but the fastest search for a few features. The table is cached between calls, so
    the function cannot be traced.

    Example:
        >>> blocks_by_table(torch.tensor([[4.5, 0.75, 0.5]], dtype=torch.float64))
        tensor([[1, 2, 2]])
    """
    rows, n = values.shape
    table, offset = _slope_table(n, values.device, values.dtype)
    slopes = torch.addmm(offset, table, values.t()).view(n, 2, n, rows).amin(dim=0)
    # point 0 has no left neighbour: its slope is infinite, so the first block always starts there
    return (slopes[0] + slopes[1] > 0).cumsum(dim=0).t()


def blocks_by_slopes(values: Tensor) -> Tensor:
    """Blocks of decreasing isotonic regression from all slopes; O(N n²) memory, no branches.

    Traceable by ``torch.compile(fullgraph=True)`` and ``torch.func.vmap``.

    Example:
        >>> blocks_by_slopes(torch.tensor([[4.5, 0.75, 0.5]], dtype=torch.float64))
        tensor([[1, 2, 2]])
    """
    n = values.shape[-1]
    sums = (values - torch.arange(n, 0, -1, device=values.device)).cumsum(dim=-1)
    sums = torch.cat([torch.zeros_like(sums[:, :1]), sums], dim=-1)
    point = torch.arange(n + 1, device=values.device)
    distance = point - point[:n, None]
    slopes = (sums.unsqueeze(-2) - sums[:, :n].unsqueeze(-1)) / distance
    left = slopes.masked_fill(distance >= 0, torch.inf).amin(dim=-1)
    right = slopes.masked_fill(distance <= 0, -torch.inf).amax(dim=-1)
    return (left > right).cumsum(dim=-1)


def blocks_by_pooling(values: Tensor) -> Tensor:
    """Blocks of decreasing isotonic regression by pooling; O(N n) memory, data-dependent rounds.

    Each round drops, in all rows together, every point that lies on or below the line through its
    two neighbours: such a point is not a vertex. The search ends after a round that drops nothing,
    usually after a few rounds and at worst after n. For eager mode only; on an accelerator each
    round synchronises with the device.

    Example:
        >>> blocks_by_pooling(torch.tensor([[4.5, 0.75, 0.5]], dtype=torch.float64))
        tensor([[1, 2, 2]])
    """
    rows, n = values.shape
    device = values.device
    y = values - torch.arange(n, 0, -1, device=device)
    sums = y.cumsum(dim=-1)
    # The first round also uses the lines from the first point and to the last one. Otherwise a run
    # of equal values at the end (attributions that are zero) would absorb one neighbour per round.
    index = torch.arange(1, n, device=device)
    inner, total = sums[:, :-1], sums[:, -1:]
    left = torch.minimum(y[:, :-1], inner / index)
    right = torch.maximum(y[:, 1:], (total - inner) / (n - index))
    ends = torch.ones(rows, 1, dtype=torch.bool, device=device)
    keep = torch.cat([ends, left > right, ends], dim=-1)
    # all rows in one line; the first and last point of each row are always kept and separate rows
    height = torch.cat([torch.zeros_like(total), sums], dim=-1).flatten()
    point = torch.arange(rows * (n + 1), device=device)
    border = torch.cat([ends, torch.zeros_like(keep[:, 2:]), ends], dim=-1).flatten()
    keep = keep.flatten()
    while not keep.all():
        kept = keep.nonzero().squeeze(-1)
        height, point, border = (each.index_select(0, kept) for each in (height, point, border))
        slope = height.diff() / point.diff()
        keep = border.clone()
        keep[1:-1] |= slope[:-1] > slope[1:]
    vertex = torch.zeros(rows * (n + 1), dtype=torch.bool, device=device)
    vertex[point] = True
    return vertex.view(rows, n + 1)[:, :n].cumsum(dim=-1)
