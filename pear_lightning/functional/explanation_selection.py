"""Selection of the explanations that a learned explainer imitates, per sample."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pear_lightning.functional.mean_ranks import ranks_of_means
from pear_lightning.functional.validation import check_choice, check_finite, check_floating

KeptOfGroup = Literal["best", "first"]
QuantilesOver = Literal["deduplicated", "all"]
WithoutSurvivor = Literal["best", "drop"]
_ROUNDING = 1e-9  # of cosines and positions, which are computed in float64


class Selection(NamedTuple):
    """Explanations selected for each sample.

    Attributes:
        candidates: Explanations left by the removal of duplicates, ``(B, K)`` bool.
        survivors: Candidates that pass the thresholds of all measures, or that a rule keeps for a
            sample without any, ``(B, K)`` bool.
        without: Samples for which no candidate passed, ``(B,)`` bool.
    """

    candidates: Tensor
    survivors: Tensor
    without: Tensor


def mean_ranks_of_samples(scores: Tensor, higher_is_better: Tensor) -> Tensor:
    """Return the mean rank of each explanation over the measures, within each sample.

    Args:
        scores: ``(B, K, M)`` floating, K explanations by M measures.
        higher_is_better: ``(M,)`` bool, the direction of each measure.

    Returns:
        ``(B, K)`` float64, 1 for an explanation that is the best by every measure; scores that are
        equal up to the precision of float32 share the mean of their ranks.

    Example:
        >>> scores = torch.tensor([[[0.9, 0.1], [0.5, 0.4]]])
        >>> mean_ranks_of_samples(scores, torch.tensor([True, False])).tolist()
        [[1.0, 2.0]]
    """
    _check_scores(scores, higher_is_better)
    return ranks_of_means(scores.mT, higher_is_better).mean(dim=1)


def distinct_explanations(
    saliency: Tensor, threshold: float, order: Tensor | None = None
) -> Tensor:
    r"""Return which explanations remain when similar ones are removed, within each sample.

    Explanations are visited in turn; one is kept unless its cosine with an explanation that was
    kept before is at least δ. Explanations that are zero equal each other, and have cosine 0 with
    all others.

    Args:
        saliency: ``(B, K, n)`` floating, K explanations of each sample.
        threshold: δ, in (0, 1].
        order: ``(B, K)``; explanations with the lowest values are visited first, and equal ones in
            the order of K. ``None`` for the order of K.

    Returns:
        ``(B, K)`` bool.

    Raises:
        TypeError: If the saliency is not floating.
        ValueError: If δ is out of range, a shape does not fit, or a value is not finite.

    Example:
        >>> saliency = torch.tensor([[[1.0, 0.0], [2.0, 0.1], [0.0, 1.0]]])
        >>> distinct_explanations(saliency, 0.9).tolist()
        [[True, False, True]]
        >>> distinct_explanations(saliency, 0.9, torch.tensor([[3, 1, 2]])).tolist()
        [[False, True, True]]

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026, which
        keeps the first of each group.
    """
    check_floating("saliency", saliency)
    if saliency.ndim != 3:
        raise ValueError(f"saliency must be (B, K, n), got {tuple(saliency.shape)}")
    check_finite("saliency", saliency)
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in (0, 1], got {threshold}")
    shape = saliency.shape[:2]
    if order is None:
        order = torch.arange(shape[1], device=saliency.device).expand(shape)
    if order.shape != shape:
        raise ValueError(f"order must be {tuple(shape)}, got {tuple(order.shape)}")
    visited = order.argsort(dim=1, stable=True)
    values = saliency.double()
    largest = values.abs().amax(dim=2, keepdim=True)
    values = values / largest.where(largest > 0, 1)  # squares of tiny values are 0
    norm = values.norm(dim=2, keepdim=True)
    units = values / norm.where(norm > 0, 1)
    similar = units @ units.mT >= threshold - _ROUNDING
    zero = norm[..., 0] == 0
    similar |= zero[:, :, None] & zero[:, None]
    kept = torch.zeros(shape, dtype=torch.bool, device=saliency.device)
    rows = torch.arange(shape[0], device=saliency.device)
    for place in range(shape[1]):
        here = visited[:, place]
        kept[rows, here] = ~(similar[rows, here] & kept).any(dim=1)
    return kept


def above_quantiles(
    scores: Tensor,
    higher_is_better: Tensor,
    quantile: float,
    candidates: Tensor | None = None,
    *,
    over: Tensor | None = None,
) -> Tensor:
    r"""Return which explanations reach the p-quantile of every measure, within each sample.

    The threshold of a measure is the p-quantile of the scores of a sample's explanations (linear
    between neighbours); where lower is better, it is the (1 − p)-quantile, and scores up to it
    pass. Scores equal to the threshold pass.

    Args:
        scores: ``(B, K, M)`` floating.
        higher_is_better: ``(M,)`` bool, the direction of each measure.
        quantile: p, in [0, 1]; 0 lets every candidate pass.
        candidates: Explanations that may pass, ``(B, K)`` bool; ``None`` for all.
        over: Explanations whose scores define the quantiles, ``(B, K)`` bool, at least one for each
            sample; ``None`` for the candidates.

    Returns:
        ``(B, K)`` bool.

    Raises:
        TypeError: If the scores are not floating.
        ValueError: If p is out of range, a shape does not fit, a score is not finite, or a sample
            has no scores for the quantiles.

    Example:
        >>> scores = torch.tensor([[[0.1], [0.2], [0.3]]])
        >>> above_quantiles(scores, torch.tensor([True]), 0.5).tolist()
        [[False, True, True]]
        >>> above_quantiles(scores, torch.tensor([False]), 0.5).tolist()
        [[True, True, False]]
    """
    _check_scores(scores, higher_is_better)
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile must lie in [0, 1], got {quantile}")
    shape = scores.shape[:2]
    if candidates is None:
        candidates = torch.ones(shape, dtype=torch.bool, device=scores.device)
    over = candidates if over is None else over
    for name, given in (("candidates", candidates), ("over", over)):
        if given.shape != shape or given.dtype != torch.bool:
            raise ValueError(f"{name} must be {tuple(shape)} bool, got {tuple(given.shape)}")
    counts = over.sum(dim=1)
    if not bool((counts > 0).all()):
        raise ValueError("over must have at least one explanation of every sample, got none")
    # lower is better: the (1 - p)-quantile of r is minus the p-quantile of -r
    signs = torch.where(higher_is_better, 1.0, -1.0).to(scores.device).double()
    values = scores.double() * signs
    ordered = values.masked_fill(~over[..., None], torch.inf).sort(dim=1).values
    position = quantile * (counts - 1).double()
    nearest = position.round()
    position = torch.where((position - nearest).abs() < _ROUNDING, nearest, position)
    low, high = (
        ordered.gather(1, at.long()[:, None, None].expand(-1, 1, scores.shape[2]))
        for at in (position.floor(), position.ceil())
    )
    threshold = low + (high - low) * (position - position.floor())[:, None, None]
    return candidates & (values >= threshold).all(dim=2)


def select_explanations(
    saliency: Tensor,
    scores: Tensor,
    higher_is_better: Tensor,
    *,
    similarity: float = 0.9,
    quantile: float = 0.2,
    keep: KeptOfGroup = "best",
    quantiles_over: QuantilesOver = "deduplicated",
    without_survivor: WithoutSurvivor = "best",
) -> Selection:
    """Remove duplicates and unfaithful explanations, within each sample.

    Args:
        saliency: ``(B, K, n)``, K explanations of each sample in a fixed order of methods.
        scores: ``(B, K, M)``, their faithfulness by M metrics.
        higher_is_better: ``(M,)`` bool, the direction of each metric.
        similarity: δ of :func:`distinct_explanations`.
        quantile: p of :func:`above_quantiles`.
        keep: Explanation kept of a group of similar ones: the ``"best"`` by mean rank over the
            metrics, or the ``"first"`` in the order of K.
        quantiles_over: Scores that define the quantiles: of the ``"deduplicated"`` candidates, or
            of ``"all"`` K.
        without_survivor: For a sample whose candidates all fail some threshold: keep the one with
            the ``"best"`` mean rank, or ``"drop"`` the sample.

    Example:
        >>> saliency = torch.tensor([[[1.0, 0.0], [2.0, 0.1], [0.0, 1.0]]])
        >>> scores = torch.tensor([[[0.7], [0.8], [0.1]]])
        >>> select_explanations(saliency, scores, torch.tensor([True])).survivors.tolist()
        [[False, True, False]]

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026: duplicates
        and filter. The authors' code computes quantiles over all explanations.

    Deviations from the paper:
        The best explanation of a group is kept instead of the first, and a sample without survivor
        keeps one.
    """
    check_choice("keep", keep, ("best", "first"))
    check_choice("quantiles_over", quantiles_over, ("deduplicated", "all"))
    check_choice("without_survivor", without_survivor, ("best", "drop"))
    ranks = mean_ranks_of_samples(scores, higher_is_better)
    candidates = distinct_explanations(saliency, similarity, ranks if keep == "best" else None)
    over = torch.ones_like(candidates) if quantiles_over == "all" else candidates
    survivors = above_quantiles(scores, higher_is_better, quantile, candidates, over=over)
    without = ~survivors.any(dim=1)
    if without_survivor == "best":
        best = ranks.masked_fill(~candidates, torch.inf).argmin(dim=1, keepdim=True)
        survivors = survivors | torch.zeros_like(survivors).scatter(1, best, without[:, None])
    return Selection(candidates, survivors, without)


def _check_scores(scores: Tensor, higher_is_better: Tensor) -> None:
    check_floating("scores", scores)
    if scores.ndim != 3 or not scores.shape[1] or not scores.shape[2]:
        raise ValueError(f"scores must be (B, K, M), got {tuple(scores.shape)}")
    if higher_is_better.shape != scores.shape[2:] or higher_is_better.dtype != torch.bool:
        raise ValueError(
            f"higher_is_better must be ({scores.shape[2]},) bool, got "
            f"{tuple(higher_is_better.shape)} {higher_is_better.dtype}"
        )
    check_finite("scores", scores)
