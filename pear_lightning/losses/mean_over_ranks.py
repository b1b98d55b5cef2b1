"""Mean over the rows of all ranks, for losses that are not themselves a mean over rows."""

from torch import Tensor, distributed


def mean_over_ranks(value: Tensor, n_ranks: int) -> Tensor:
    """Return the mean of a tensor over all ranks, differentiable with respect to this rank's value.

    For losses that are a nonlinear function of a mean over rows: every rank then computes the loss
    of the whole batch. The gradient of this rank's value has factor 1, because
    DistributedDataParallel averages gradients over the ranks. For one rank, the value is returned
    unchanged; otherwise all ranks must call it equally often.

    Args:
        value: Mean over the rows of this rank.
        n_ranks: Number of ranks, :attr:`ExplanationLoss.ranks
            <pear_lightning.losses.ExplanationLoss.ranks>` of the loss.

    Returns:
        Mean over the rows of all ranks, provided that they have equally many.

    Example:
        >>> import torch
        >>> mean_over_ranks(torch.tensor([1.0, 2.0]), n_ranks=1)
        tensor([1., 2.])
    """
    if n_ranks == 1:
        return value
    total = value.detach().clone()
    distributed.all_reduce(total)
    mean: Tensor = value + (total / n_ranks - value).detach()
    return mean


def number_of_ranks() -> int:
    """Return the number of processes that train together, 1 without a process group.

    Example:
        >>> number_of_ranks()
        1
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size()
