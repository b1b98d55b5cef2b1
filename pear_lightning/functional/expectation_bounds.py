"""Bounds of expectations under probabilities of which only bounds are known."""

import torch
from torch import Tensor


def expectation_bounds(values: Tensor, least: Tensor, most: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the smallest and the largest expectations under bounded probabilities.

    .. math:: \min_p \sum_k p_k v_k, \quad \max_p \sum_k p_k v_k \qquad \text{with} \;
              \underline p_k \le p_k \le \overline p_k, \; \sum_k p_k = 1

    With the values in descending order and :math:`P_k` the probability of the first k outcomes, the
    expectation is :math:`v_K + \sum_{k<K} P_k (v_k - v_{k+1})`. It is largest where all
    :math:`P_k` are, which have their largest values together:

    .. math:: P_k \le \min\Big( \sum_{j \le k} \overline p_j, \; 1 - \sum_{j > k} \underline p_j
              \Big), \qquad
              P_k \ge \max\Big( \sum_{j \le k} \underline p_j, \; 1 - \sum_{j > k} \overline p_j
              \Big)

    A constant that is added to all values of an element is added to both of its results.

    Args:
        values: Values v of the K outcomes, ``(K, B, n)``, or ``(K, 1, n)`` if they are the same for
            all rows.
        least: Lower bounds of the probabilities, ``(K, B)``, with a sum of at most 1.
        most: Upper bounds, ``(K, B)``, with a sum of at least 1.

    Returns:
        The smallest and the largest expectations, ``(B, n)`` each.

    Example:
        >>> values = torch.tensor([0.0, 1.0, 3.0]).reshape(3, 1, 1)
        >>> least, most = torch.tensor([[0.25], [0.0], [0.25]]), torch.tensor([[0.5], [0.5], [0.5]])
        >>> expectation_bounds(values, least, most)
        (tensor([[1.]]), tensor([[1.7500]]))
    """
    ordered, order = values.sort(dim=0, descending=True)
    last, steps = ordered[-1], ordered[:-1] - ordered[1:]
    slack = _of_the_first(most - least, order)
    above = values - last
    total_least, total_most = (each.sum(dim=0).unsqueeze(1) for each in (least, most))
    # the two sides of the inequalities differ by the slack of the first k outcomes, up to a
    # constant: min(a, b) = a - relu(a - b), and the sum over a is one matrix product
    too_much = (steps * torch.relu(slack - (1 - total_least))).sum(dim=0)
    too_little = (steps * torch.relu(slack - (total_most - 1))).sum(dim=0)
    return last + _mean(above, least) + too_little, last + _mean(above, most) - too_much


def _mean(values: Tensor, probabilities: Tensor) -> Tensor:
    return torch.einsum(
        "krn,kb->bn" if values.shape[1] == 1 else "kbn,kb->bn", values, probabilities
    )


def _of_the_first(probabilities: Tensor, order: Tensor) -> Tensor:
    """Return the probability of the first k outcomes for k from 1 to K - 1, ``(K - 1, B, n)``."""
    n_outcomes, rows = probabilities.shape
    if order.shape[1] == 1 and n_outcomes <= rows:  # much faster than gathering
        rank = order.squeeze(1).argsort(dim=0)
        numbers = torch.arange(n_outcomes - 1, device=rank.device)
        first = (rank <= numbers[:, None, None]).to(probabilities.dtype)  # (K - 1, K, n)
        return torch.einsum("jkn,kb->jbn", first, probabilities)
    return torch.take_along_dim(probabilities.unsqueeze(2), order, dim=0).cumsum(dim=0)[:-1]
