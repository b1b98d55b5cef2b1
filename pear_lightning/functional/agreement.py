"""How far two explanations of one sample agree: six measures, per sample.

Krishna, Han, Gu, Wu, Jabbari, Lakkaraju, *The Disagreement Problem in Explainable Machine
Learning*, arXiv 2202.01602. Rank 1 is the largest absolute value; signs are negative, zero or
positive.

Published implementations treat ties differently. Here ranks are average ranks, a tie at the edge of
the top k goes to the lower feature index in both explanations, zero agrees only with zero, and a
tied pair agrees only with a tied pair. ``ties`` and ``strict`` select the rules of other
implementations. Without ties all rules give the same values.
"""

import math
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor

from pear_lightning.functional.correlation import constant_rows, pearson
from pear_lightning.functional.present_features import (
    check_present,
    filled_with_first,
    filled_with_mean,
)
from pear_lightning.functional.ranks import TIES, Ties, hard_ranks
from pear_lightning.functional.validation import (
    at_least_float32,
    check_choice,
    check_finite,
    check_rows,
    check_same_shape,
)

AgreementName = Literal[
    "feature_agreement",
    "rank_agreement",
    "sign_agreement",
    "signed_rank_agreement",
    "rank_correlation",
    "pairwise_rank_agreement",
]
AGREEMENT_NAMES: tuple[AgreementName, ...] = (
    "feature_agreement",
    "rank_agreement",
    "sign_agreement",
    "signed_rank_agreement",
    "rank_correlation",
    "pairwise_rank_agreement",
)
TOP_K_NAMES = AGREEMENT_NAMES[:4]
PAIRS_AT_ONCE = 2**22  # comparisons that pairwise_rank_agreement holds in memory


def check_k(name: str, k: int | float | None) -> None:
    """Raise unless k can be the size of a top k for some number of features.

    Args:
        name: name of the argument in error messages.
        k: number of features, an int of at least 1, or a fraction of them, a float in (0, 1]; None
            is valid.

    Raises:
        TypeError: if ``k`` is neither an int nor a float.
        ValueError: if ``k`` is out of range.

    Example:
        >>> check_k("top_k", 0)
        Traceback (most recent call last):
        ...
        ValueError: top_k must be at least 1, got 0
    """
    if k is None:
        return
    if isinstance(k, bool) or not isinstance(k, int | float):
        raise TypeError(
            f"{name} must be a number of features (int) or a fraction of them (float), got {k!r}"
        )
    if isinstance(k, float) and not 0 < k <= 1:
        raise ValueError(
            f"{name} must be in (0, 1] as a fraction, got {k}; give an int for a number of features"
        )
    if isinstance(k, int) and k < 1:
        raise ValueError(f"{name} must be at least 1, got {k}")


def resolve_k(k: int | float, n: int) -> int:
    """Return the size of the top k of n features: an int unchanged, a fraction rounded up.

    Args:
        k: number of features, an int in [1, n], or a fraction of them, a float in (0, 1].
        n: number of features.

    Raises:
        TypeError: if ``k`` is neither an int nor a float.
        ValueError: if ``k`` is out of range.

    Example:
        >>> resolve_k(5, 8), resolve_k(0.25, 7)
        (5, 2)
    """
    if isinstance(k, bool) or not isinstance(k, int):
        check_k("k", k)
        # a product like 0.07 * 100 lands just above the whole number
        return max(1, math.ceil(round(k * n, 9)))
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and the number of features, {n}, got {k}")
    return k


class RankedSaliency(NamedTuple):
    """One explanation, ranked once for all six measures and all pairs.

    Attributes:
        ranks: ``(..., n)``, of the absolute values, 1 = largest.
        signs: ``(..., n)``, -1, 0 or 1.
        constant: ``(...)`` bool, whether all absolute values are equal, so that there is no
            ranking.
        top: ``(..., n)`` bool, the top k, or None if no k was given.
        k: size of the top k: a number, or one for each row ``(...)`` if rows lack features; 0 if no
            k was given.
        present: ``(..., n)`` bool, the features that a row has, or None for all. Other features
            have rank 0.
    """

    ranks: Tensor
    signs: Tensor
    constant: Tensor
    top: Tensor | None
    k: int | Tensor
    present: Tensor | None = None

    def select(self, index: list[int]) -> Self:
        """Return some of the explanations, by their positions in the first dimension."""
        parts = [each[index] if isinstance(each, Tensor) else each for each in self]
        return type(self)(*parts)  # type: ignore[arg-type]


@torch.no_grad()
def rank_saliency(
    saliency: Tensor,
    k: int | float | None,
    *,
    ties: Ties = "average",
    name: str = "saliency",
    present: Tensor | None = None,
) -> RankedSaliency:
    """Rank one explanation ``(..., n)``; see :class:`RankedSaliency` for the result.

    Args:
        saliency: ``(..., n)`` floating, signed, n >= 1.
        k: see :func:`resolve_k`; None for rank correlation and pairwise rank agreement alone.
        ties: see :func:`~pear_lightning.functional.ranks.hard_ranks`.
        name: name of the tensor in error messages.
        present: ``(..., n)`` bool, the features that a row has, such as the tokens of a text
            without its padding; None for all. A row with fewer than k features has all of them in
            its top k.

    Raises:
        TypeError: if ``saliency`` is not floating, or ``present`` not bool.
        ValueError: for NaN or infinite values, ``k`` out of range, or a row without features.

    Example:
        >>> rank_saliency(torch.tensor([0.5, -0.9, 0.1]), k=2).top
        tensor([ True,  True, False])
    """
    check_choice("ties", ties, TIES)
    check_rows(name, saliency)
    check_finite(name, saliency)
    size = at_least_float32(saliency).abs()
    if present is not None:
        return _rank_present(size, saliency.sign(), k, ties, present, name)
    ranks = hard_ranks(size, ties=ties, descending=True)
    constant = constant_rows(size)
    if k is None:
        return RankedSaliency(ranks, saliency.sign(), constant, None, 0)
    k = resolve_k(k, saliency.shape[-1])
    positions = hard_ranks(size, ties="ordinal", descending=True)
    return RankedSaliency(ranks, saliency.sign(), constant, positions <= k, k)


def _rank_present(
    size: Tensor, signs: Tensor, k: int | float | None, ties: Ties, present: Tensor, name: str
) -> RankedSaliency:
    """Rank the features that a row has among themselves."""
    check_present(name, size, present)
    check_k("k", k)
    constant = constant_rows(filled_with_first(size, present))
    size = size.masked_fill(~present, -1)  # below all others, so ranked last
    ranks = hard_ranks(size, ties=ties, descending=True).masked_fill(~present, 0)
    if k is None:
        return RankedSaliency(ranks, signs, constant, None, 0, present)
    sizes = top_sizes(k, present)
    positions = hard_ranks(size, ties="ordinal", descending=True)
    return RankedSaliency(ranks, signs, constant, positions <= sizes[..., None], sizes, present)


def top_sizes(k: int | float, present: Tensor) -> Tensor:
    """Return the size of the top k of rows with different numbers of features.

    Args:
        k: see :func:`resolve_k`; a row with fewer than k features has that many in its top k.
        present: ``(..., n)`` bool, the features that a row has.

    Returns:
        ``(...)`` long.

    Example:
        >>> present = torch.tensor([[True, True, True, True], [True, True, False, False]])
        >>> top_sizes(3, present), top_sizes(0.5, present)
        (tensor([3, 2]), tensor([2, 1]))
    """
    counts = present.sum(dim=-1)
    if isinstance(k, int):
        return counts.clamp(max=k)
    every = [0, *(resolve_k(k, n) for n in range(1, present.shape[-1] + 1))]
    return torch.tensor(every, device=counts.device)[counts]


def agreement_of_ranked(
    name: AgreementName, a: RankedSaliency, b: RankedSaliency, *, strict: bool = False
) -> Tensor:
    """Return one of the six measures for explanations ranked by :func:`rank_saliency`, ``(...)``.

    Args:
        name: the measure.
        a: one explanation.
        b: the other, of the same shape and k.
        strict: for ``"pairwise_rank_agreement"``, see :func:`pairwise_rank_agreement`.

    Raises:
        ValueError: for an unknown name, a missing ``k``, or a row with fewer than two features for
            ``"pairwise_rank_agreement"``.

    Example:
        >>> a = rank_saliency(torch.tensor([0.5, -0.4, 0.3]), k=2)
        >>> agreement_of_ranked("feature_agreement", a, a)
        tensor(1.)
    """
    check_choice("name", name, AGREEMENT_NAMES)
    if name == "rank_correlation":
        # ordinal ranks of a constant row look like a ranking
        ranks = [a.ranks, b.ranks]
        if a.present is not None:
            ranks = [filled_with_mean(each, a.present) for each in ranks]
        correlation = pearson(*ranks, validate=False)
        return correlation.masked_fill(a.constant | b.constant, 0)
    if name == "pairwise_rank_agreement":
        return _pairwise_agreement(a.ranks, b.ranks, strict, a.present)
    if a.top is None or b.top is None or (isinstance(a.k, int) and a.k != b.k):
        raise ValueError(
            f"a and b must be ranked with the same k for {name}, got {a.k} and {b.k}; "
            "give rank_saliency that k"
        )
    shared = a.top & b.top
    if name in ("rank_agreement", "signed_rank_agreement"):
        shared = shared & (a.ranks == b.ranks)
    if name in ("sign_agreement", "signed_rank_agreement"):
        shared = shared & (a.signs == b.signs)
    return shared.sum(dim=-1).to(a.ranks.dtype) / a.k


def feature_agreement(a: Tensor, b: Tensor, k: int | float) -> Tensor:
    r"""Share of the top k features that two explanations have in common.

    .. math::
        \mathrm{FA} = |\mathrm{top}_k(a) ∩ \mathrm{top}_k(b)| / k

    Args:
        a: ``(..., n)`` saliency, signed, floating.
        b: the same shape.
        k: number of features (int), or a fraction of them, rounded up (float).

    Returns:
        ``(...)`` in [0, 1]; unrelated explanations score k/n on average.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, or ``k`` out of range.

    Example:
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> feature_agreement(a, b, k=4)
        tensor([0.7500])

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """
    return _agreement("feature_agreement", a, b, k, "average")


def rank_agreement(a: Tensor, b: Tensor, k: int | float, *, ties: Ties = "average") -> Tensor:
    r"""Share of the top k features that two explanations have in common at the same rank.

    .. math::
        \mathrm{RA} = |\{s ∈ \mathrm{top}_k(a) ∩ \mathrm{top}_k(b) :
        \mathrm{rank}_a(s) = \mathrm{rank}_b(s)\}| / k

    Args:
        a: ``(..., n)`` saliency, signed, floating.
        b: the same shape.
        k: number of features (int), or a fraction of them, rounded up (float).
        ties: ranks of equal absolute values: ``"average"``, ``"dense"`` (Krishna et al., OpenXAI)
            or ``"ordinal"`` (Schwarzschild et al.).

    Returns:
        ``(...)`` in [0, 1]; unrelated explanations score 1/n on average.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, or ``k`` out of range.

    Example:
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> rank_agreement(a, b, k=4)
        tensor([0.2500])

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """
    return _agreement("rank_agreement", a, b, k, ties)


def sign_agreement(a: Tensor, b: Tensor, k: int | float) -> Tensor:
    r"""Share of the top k features that two explanations have in common with the same sign.

    .. math::
        \mathrm{SA} = |\{s ∈ \mathrm{top}_k(a) ∩ \mathrm{top}_k(b) :
        \mathrm{sign}_a(s) = \mathrm{sign}_b(s)\}| / k

    Args:
        a: ``(..., n)`` saliency, signed, floating.
        b: the same shape.
        k: number of features (int), or a fraction of them, rounded up (float).

    Returns:
        ``(...)`` in [0, 1]; unrelated explanations score k/(2n) on average.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, or ``k`` out of range.

    Example:
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> sign_agreement(a, b, k=4)
        tensor([0.5000])

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """
    return _agreement("sign_agreement", a, b, k, "average")


def signed_rank_agreement(
    a: Tensor, b: Tensor, k: int | float, *, ties: Ties = "average"
) -> Tensor:
    r"""Share of the top k features that two explanations have in common at the same rank and sign.

    .. math::
        \mathrm{SRA} = |\{s ∈ \mathrm{top}_k(a) ∩ \mathrm{top}_k(b) :
        \mathrm{rank}_a(s) = \mathrm{rank}_b(s), \mathrm{sign}_a(s) = \mathrm{sign}_b(s)\}| / k

    Args:
        a: ``(..., n)`` saliency, signed, floating.
        b: the same shape.
        k: number of features (int), or a fraction of them, rounded up (float).
        ties: see :func:`rank_agreement`.

    Returns:
        ``(...)`` in [0, 1]; unrelated explanations score 1/(2n) on average.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, or ``k`` out of range.

    Example:
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> signed_rank_agreement(a, b, k=3)
        tensor([0.3333])

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """
    return _agreement("signed_rank_agreement", a, b, k, ties)


def rank_correlation(a: Tensor, b: Tensor, *, ties: Ties = "average") -> Tensor:
    """Spearman correlation of the absolute values of all features.

    A row whose absolute values are all equal has no ranking; its correlation is 0.

    Args:
        a: ``(..., n)`` saliency, signed, floating.
        b: the same shape.
        ties: see :func:`rank_agreement`.

    Returns:
        ``(...)`` in [-1, 1]; unrelated explanations score 0 on average.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, or NaN or infinite values.

    Example:
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> rank_correlation(a, b)
        tensor([0.8000])

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """
    return _agreement("rank_correlation", a, b, None, ties)


def pairwise_rank_agreement(a: Tensor, b: Tensor, *, strict: bool = False) -> Tensor:
    r"""Share of the pairs of features that two explanations put in the same order.

    .. math::
        \mathrm{PRA} = \binom n2^{-1} \sum_{i<j}
        [\mathrm{sign}(r_i − r_j) = \mathrm{sign}(r'_i − r'_j)]

    with r, r' the ranks of the absolute values. The value does not depend on the order of the
    features.

    Args:
        a: ``(..., n)`` saliency, signed, floating, n >= 2.
        b: the same shape.
        strict: compare [r_i < r_j] for i < j, as Krishna et al., OpenXAI and Schwarzschild et al.
            do. A tie then counts as the order "i after j", so the value depends on the order of the
            features, also for an explanation of zeros, where all pairs are ties.

    Returns:
        ``(...)`` in [0, 1]; unrelated explanations score 1/2 on average.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, or a single feature.

    Example:
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> pairwise_rank_agreement(a, b)
        tensor([0.8000])

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """
    return _agreement("pairwise_rank_agreement", a, b, None, "average", strict)


def chance_level(name: AgreementName, n: int, k: int | float | None = None) -> float:
    """Expected agreement of unrelated explanations without ties.

    It is k/n for feature, 1/n for rank, k/(2n) for sign and 1/(2n) for signed rank agreement, 0 for
    rank correlation and 1/2 for pairwise rank agreement.

    Args:
        name: the measure.
        n: number of features.
        k: see :func:`resolve_k`; required for the four measures of the top k, ignored by the
            others.

    Raises:
        ValueError: for an unknown name, or a missing ``k``.

    Example:
        >>> chance_level("feature_agreement", n=8, k=5)
        0.625
    """
    check_choice("name", name, AGREEMENT_NAMES)
    if name == "rank_correlation":
        return 0.0
    if name == "pairwise_rank_agreement":
        return 0.5
    if k is None:
        raise ValueError(f"k must be the number of top features for {name}, got None")
    k = resolve_k(k, n)
    levels = {
        "feature_agreement": k / n,
        "rank_agreement": 1 / n,
        "sign_agreement": k / (2 * n),
        "signed_rank_agreement": 1 / (2 * n),
    }
    return levels[name]


def chance_corrected(agreement: Tensor, chance: float | Tensor) -> Tensor:
    r"""Rescale agreement so that chance is 0 and full agreement 1: :math:`(m − c)/(1 − c)`.

    Args:
        agreement: any shape, also without any value.
        chance: from :func:`chance_level`, below 1; a tensor if it differs between samples.

    Raises:
        ValueError: if chance is 1, as for feature agreement with k = n.

    Example:
        >>> chance_corrected(torch.tensor([0.5, 0.75, 1.0]), 0.5)
        tensor([0.0000, 0.5000, 1.0000])
    """
    levels = torch.as_tensor(chance)
    if not levels.numel():
        return agreement
    largest = float(levels.amax())
    if not largest < 1:
        raise ValueError(
            f"chance must be below 1, got {largest}; with k = n feature agreement is always 1, so "
            "choose a smaller k"
        )
    return (agreement - chance) / (1 - chance)


def _agreement(
    name: AgreementName,
    a: Tensor,
    b: Tensor,
    k: int | float | None,
    ties: Ties,
    strict: bool = False,
) -> Tensor:
    check_same_shape("a", a, "b", b)
    ranked_a = rank_saliency(a, k, ties=ties, name="a")
    ranked_b = rank_saliency(b, k, ties=ties, name="b")
    return agreement_of_ranked(name, ranked_a, ranked_b, strict=strict)


def _pairwise_agreement(a: Tensor, b: Tensor, strict: bool, present: Tensor | None) -> Tensor:
    """Compare the order of all pairs, a block of features at a time to bound memory."""
    n = a.shape[-1]
    counts = n if present is None else present.sum(dim=-1)
    fewest = counts if isinstance(counts, int) else int(counts.amin()) if counts.numel() else 2
    if fewest < 2:
        raise ValueError(
            f"a and b must have at least 2 features for pairwise rank agreement, got {fewest}"
        )
    step = max(1, PAIRS_AT_ONCE // max(1, a.numel()))
    feature = torch.arange(n, device=a.device)
    agreeing = torch.zeros(a.shape[:-1], dtype=torch.long, device=a.device)
    for start in range(0, n, step):
        part = slice(start, min(start + step, n))
        first_a, first_b = a[..., part, None], b[..., part, None]
        second_a, second_b = a[..., None, :], b[..., None, :]
        equal = (first_a < second_a) == (first_b < second_b)
        if not strict:
            equal &= (first_a > second_a) == (first_b > second_b)
        equal &= feature[part, None] < feature  # each pair once
        if present is not None:
            equal &= present[..., part, None] & present[..., None, :]
        agreeing += equal.sum(dim=(-2, -1))
    return agreeing.to(a.dtype) / (counts * (counts - 1) / 2)
