"""How well one score per feature finds the features that are known to be relevant.

A score is a number per feature, larger = more important: scores of a gate, mean absolute SHAP
values, norms of a first layer. Scores are compared with their signs; pass absolute values of signed
attributions. All functions take ``(..., d)``, one row for each run.

Features that tie at the edge of the top k share the remaining places, so every value is the
expectation over ties broken at random, and constant scores get the value of chance. If ties went to
the lower index instead, constant scores would be perfect on data sets whose relevant features come
first.
"""

import torch
from torch import Tensor

from pear_lightning.functional.agreement import resolve_k
from pear_lightning.functional.ranks import average_ranks
from pear_lightning.functional.regions import zeros_and_ones
from pear_lightning.functional.validation import (
    at_least_float32,
    check_finite,
    check_rows,
    check_tensor,
)


@torch.no_grad()
def top_k_share(scores: Tensor, k: int | float, *, name: str = "scores") -> Tensor:
    """Share of each feature in the top k: 1 inside, 0 outside, equal parts for ties at the edge.

    Args:
        scores: ``(..., d)`` floating.
        k: number of features (int), or a fraction of them, rounded up (float).
        name: name of the tensor in error messages.

    Returns:
        ``(..., d)`` in [0, 1]; each row sums to k.

    Raises:
        TypeError: if ``scores`` is not floating.
        ValueError: for NaN or infinite values, or ``k`` out of range.

    Example:
        >>> top_k_share(torch.tensor([0.9, 0.2, 0.2, 0.1]), k=2)
        tensor([1.0000, 0.5000, 0.5000, 0.0000])
    """
    check_rows(name, scores)
    check_finite(name, scores)
    k = resolve_k(k, scores.shape[-1])
    scores = at_least_float32(scores)
    edge = scores.topk(k, dim=-1).values[..., -1:]
    above, tied = scores > edge, scores == edge
    left = k - above.sum(dim=-1, keepdim=True)
    share = left / tied.sum(dim=-1, keepdim=True)
    return above.to(scores.dtype) + tied * share.to(scores.dtype)


@torch.no_grad()
def precision_at_k(scores: Tensor, relevance: Tensor, k: int | float | None = None) -> Tensor:
    r"""Share of relevant features among the k with the largest scores.

    .. math::
        P@k = \frac1k \sum_{i ∈ \mathrm{top}_k(s)} r_i, \qquad k = \sum_i r_i
        \text{ unless said otherwise}

    Args:
        scores: ``(..., d)`` floating.
        relevance: ``(d,)`` or like ``scores``; bool, or 0 and 1.
        k: number of features (int), a fraction of them, rounded up (float), or None for the number
            of relevant features, which must then be the same in each row.

    Returns:
        ``(...)`` in [0, 1]; constant scores get the share of relevant features.

    Raises:
        TypeError: if ``scores`` is not floating.
        ValueError: for NaN or infinite values, ``k`` out of range, or a ``relevance`` that has the
            wrong shape, other values than 0 and 1, or no relevant feature in a row.

    Example:
        >>> scores = torch.tensor([0.4, 0.1, 0.3, 0.2])
        >>> precision_at_k(scores, torch.tensor([True, False, False, True]))
        tensor(0.5000)
    """
    check_rows("scores", scores)
    relevant = as_relevance(relevance, scores)
    if k is None:
        counts = relevant.sum(dim=-1).unique()
        if len(counts) > 1:
            raise ValueError(
                "relevance must mark the same number of features in each row if k is None, got "
                f"{counts.tolist()}; give k"
            )
        k = int(counts) if len(counts) else 1  # without rows, any k gives no values
    share = top_k_share(scores, k)
    return (share * relevant).sum(dim=-1) / resolve_k(k, scores.shape[-1])


@torch.no_grad()
def relevance_auroc(scores: Tensor, relevance: Tensor) -> Tensor:
    r"""Probability that a relevant feature scores higher than an irrelevant one; ties count half.

    .. math::
        \mathrm{AUROC} = \frac{\sum_{i: r_i = 1} \mathrm{rank}_i − k (k + 1)/2}{k (d − k)},
        \qquad k = \sum_i r_i

    with average ranks, 1 = smallest.

    Args:
        scores: ``(..., d)`` floating.
        relevance: ``(d,)`` or like ``scores``; bool, or 0 and 1.

    Returns:
        ``(...)`` in [0, 1]; constant scores get 0.5.

    Raises:
        TypeError: if ``scores`` is not floating.
        ValueError: for NaN or infinite values, or a ``relevance`` that has the wrong shape, other
            values than 0 and 1, or a row without a relevant or without an irrelevant feature.

    Example:
        >>> scores = torch.tensor([0.4, 0.1, 0.3, 0.2])
        >>> relevance_auroc(scores, torch.tensor([True, False, False, True]))
        tensor(0.7500)
    """
    check_rows("scores", scores)
    check_finite("scores", scores)
    relevant = as_relevance(relevance, scores)
    k = relevant.sum(dim=-1)
    irrelevant = scores.shape[-1] - k
    if (irrelevant == 0).any():
        raise ValueError(
            "relevance must leave a feature unmarked in each row, got a row that marks all; "
            "AUROC compares relevant features with irrelevant ones"
        )
    ranks = average_ranks(scores)
    return ((ranks * relevant).sum(dim=-1) - k * (k + 1) / 2) / (k * irrelevant)


@torch.no_grad()
def relevance_average_precision(scores: Tensor, relevance: Tensor) -> Tensor:
    r"""Mean, over the relevant features, of the precision at their rank.

    .. math::
        \mathrm{AP} = \frac1k \sum_{i: r_i = 1}
        \frac{|\{j : r_j = 1, s_j ≥ s_i\}|}{|\{j : s_j ≥ s_i\}|}, \qquad k = \sum_i r_i

    Args:
        scores: ``(..., d)`` floating.
        relevance: ``(d,)`` or like ``scores``; bool, or 0 and 1.

    Returns:
        ``(...)`` in (0, 1]; constant scores get the share of relevant features.

    Raises:
        TypeError: if ``scores`` is not floating.
        ValueError: for NaN or infinite values, or a ``relevance`` that has the wrong shape, other
            values than 0 and 1, or no relevant feature in a row.

    Example:
        >>> scores = torch.tensor([0.4, 0.1, 0.3, 0.2])
        >>> relevance_average_precision(scores, torch.tensor([True, False, False, True]))
        tensor(0.8333)
    """
    from torchmetrics.functional.classification import binary_average_precision

    check_rows("scores", scores)
    check_finite("scores", scores)
    relevant = as_relevance(relevance, scores)
    # torchmetrics applies a sigmoid to values outside [0, 1], and takes one row at a time
    ranks = average_ranks(scores) / scores.shape[-1]
    rows = zip(*(each.reshape(-1, each.shape[-1]) for each in (ranks, relevant)), strict=True)
    values = [binary_average_precision(row, truth.long()) for row, truth in rows]
    return ranks.new_tensor(values).reshape(scores.shape[:-1])


@torch.no_grad()
def true_discovery_rate(selected: Tensor, relevance: Tensor) -> Tensor:
    r"""Share of the relevant features that were selected.

    .. math::
        \mathrm{TPR} = \sum_i m_i r_i \Big/ \sum_i r_i

    Args:
        selected: ``(..., d)`` bool, the selected features m.
        relevance: ``(d,)`` or like ``selected``; bool, or 0 and 1.

    Returns:
        ``(...)`` float32 in [0, 1].

    Raises:
        TypeError: if ``selected`` is not bool.
        ValueError: for a ``relevance`` that has the wrong shape, other values than 0 and 1, or no
            relevant feature in a row.

    Example:
        >>> true_discovery_rate(torch.tensor([True, True, False]), torch.tensor([1, 0, 1]))
        tensor(0.5000)

    References:
        Yoon, Jordon, van der Schaar, *INVASE: Instance-wise Variable Selection using Neural
        Networks*, ICLR 2019.
    """
    _check_selected(selected)
    relevant = as_relevance(relevance, selected)
    return (selected & relevant).sum(dim=-1) / relevant.sum(dim=-1)


@torch.no_grad()
def false_discovery_rate(selected: Tensor, relevance: Tensor) -> Tensor:
    r"""Share of the selected features that are irrelevant.

    .. math::
        \mathrm{FDR} = \sum_i m_i (1 − r_i) \Big/ \sum_i m_i

    Args:
        selected: ``(..., d)`` bool, the selected features m.
        relevance: ``(d,)`` or like ``selected``; bool, or 0 and 1.

    Returns:
        ``(...)`` float32 in [0, 1]; 0 where nothing is selected.

    Raises:
        TypeError: if ``selected`` is not bool.
        ValueError: for a ``relevance`` that has the wrong shape, other values than 0 and 1, or no
            relevant feature in a row.

    Example:
        >>> false_discovery_rate(torch.tensor([True, True, False]), torch.tensor([1, 0, 1]))
        tensor(0.5000)

    References:
        Yoon, Jordon, van der Schaar, *INVASE: Instance-wise Variable Selection using Neural
        Networks*, ICLR 2019.
    """
    _check_selected(selected)
    relevant = as_relevance(relevance, selected)
    return (selected & ~relevant).sum(dim=-1) / selected.sum(dim=-1).clamp(min=1)


def as_relevance(relevance: Tensor, scores: Tensor) -> Tensor:
    """Return the relevant features as bool, in the shape and on the device of the scores.

    Args:
        relevance: ``(d,)`` or like ``scores``; bool, or 0 and 1.
        scores: ``(..., d)``.

    Raises:
        TypeError: if ``relevance`` is not a tensor.
        ValueError: if it has the wrong shape, other values than 0 and 1, or no relevant feature in
            a row.

    Example:
        >>> as_relevance(torch.tensor([1, 0]), torch.zeros(2, 2))
        tensor([[ True, False],
                [ True, False]])
    """
    check_tensor("relevance", relevance)
    if relevance.shape not in (scores.shape, scores.shape[-1:]):
        raise ValueError(
            f"relevance must have shape {tuple(scores.shape[-1:])} or {tuple(scores.shape)}, "
            f"got {tuple(relevance.shape)}"
        )
    relevant = zeros_and_ones(relevance, "relevance")
    if not relevant.any(dim=-1).all():
        raise ValueError(
            "relevance must mark at least one feature in each row, got a row that marks none"
        )
    return relevant.to(scores.device).expand_as(scores)


def _check_selected(selected: Tensor) -> None:
    check_tensor("selected", selected)
    if selected.dtype != torch.bool or selected.ndim < 1:
        raise TypeError(
            f"selected must be bool (..., d), got {selected.dtype} of shape "
            f"{tuple(selected.shape)}; give scores > 0.5, for example"
        )
