"""A factor that leaves room for sums and differences of large numbers."""

import torch
from torch import Tensor


@torch.no_grad()
def headroom(x: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """Return factors after which differences and sums of up to 2³⁰ entries are finite.

    A factor is a power of two, so multiplying by it is exact: 2⁻³² for rows with an entry within
    2³² of the largest number of the dtype, and 1 for all others.

    Args:
        x: floating.
        dim: dimensions of a row.

    Returns:
        Factors with size 1 in these dimensions.

    Example:
        >>> x = torch.tensor([[3e38, -3e38], [1.0, 2.0]])
        >>> (headroom(x) * x).diff()
        tensor([[-1.3970e+29],
                [ 1.0000e+00]])
    """
    large = x.abs().amax(dim=dim, keepdim=True) > torch.finfo(x.dtype).max * 2.0**-32
    return torch.where(large, 2.0**-32, 1.0).to(x.dtype)
