"""How far two scores of the same features agree, and how stable scores are over runs.

A score is a number per feature, larger = more important; see
:mod:`pear_lightning.functional.importance` for signs and ties. Spearman's correlation is
:func:`~pear_lightning.functional.correlation.spearman`.
"""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.agreement import resolve_k
from pear_lightning.functional.correlation import check_row_pair, constant_rows, spearman
from pear_lightning.functional.importance import top_k_share
from pear_lightning.functional.ranks import average_ranks
from pear_lightning.functional.validation import check_choice, check_same_shape

StabilityName = Literal["spearman", "kendall", "top_k_overlap", "jaccard_at_k", "kuncheva_index"]
STABILITY_NAMES: tuple[StabilityName, ...] = (
    "spearman",
    "kendall",
    "top_k_overlap",
    "jaccard_at_k",
    "kuncheva_index",
)
NEED_K = STABILITY_NAMES[2:]


@torch.no_grad()
def kendall(a: Tensor, b: Tensor) -> Tensor:
    r"""Kendall correlation of each row of ``a`` with the same row of ``b``; no gradient.

    .. math::
        τ_b = \frac{P − Q}{\sqrt{(P + Q + T_a)(P + Q + T_b)}}

    with P and Q the numbers of pairs of features in the same and in opposite order, and T_a and T_b
    the numbers of pairs that tie only in ``a`` or only in ``b``. A constant row has correlation 0.
    Values are compared with their signs.

    Args:
        a: ``(..., d)`` floating, d >= 1.
        b: the same shape.

    Returns:
        ``(...)`` in [-1, 1], float64 if both are float64 and float32 otherwise.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values.

    Example:
        >>> kendall(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 3.0, 2.0, 4.0]))
        tensor(0.6667)
    """
    from scipy import stats

    check_row_pair(a, b, validate=True)
    constant = constant_rows(a) | constant_rows(b)
    # SciPy also computes a p-value, whose asymptotic form divides by n - 2
    method = "exact" if a.shape[-1] == 2 else "asymptotic"
    ranks = torch.stack([average_ranks(each).double().cpu() for each in (a, b)], dim=-2)
    pairs = ranks.reshape(-1, 2, a.shape[-1]).numpy()
    values = [
        0.0 if skip else stats.kendalltau(*pair, method=method).statistic
        for pair, skip in zip(pairs, constant.flatten().tolist(), strict=True)
    ]
    dtype = torch.float64 if a.dtype == b.dtype == torch.float64 else torch.float32
    return torch.tensor(values, dtype=dtype, device=a.device).reshape(constant.shape)


@torch.no_grad()
def top_k_overlap(a: Tensor, b: Tensor, k: int | float) -> Tensor:
    r"""Share of the top k features that two scores have in common.

    .. math::
        |\mathrm{top}_k(a) ∩ \mathrm{top}_k(b)| / k

    Without ties this is :func:`~pear_lightning.functional.agreement.feature_agreement` of positive
    scores. The value is the expectation over ties broken at random, independently in ``a`` and
    ``b``.

    Args:
        a: ``(..., d)`` floating.
        b: the same shape.
        k: number of features (int), or a fraction of them, rounded up (float).

    Returns:
        ``(...)`` in [0, 1]; k/d on average for unrelated scores, and for constant ones.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, or ``k`` out of range.

    Example:
        >>> top_k_overlap(torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([4.0, 1.0, 2.0, 3.0]), 2)
        tensor(0.5000)
    """
    check_same_shape("a", a, "b", b)
    shares = top_k_share(a, k, name="a"), top_k_share(b, k, name="b")
    return (shares[0] * shares[1]).sum(dim=-1) / resolve_k(k, a.shape[-1])


@torch.no_grad()
def jaccard_at_k(a: Tensor, b: Tensor, k: int | float) -> Tensor:
    r"""Jaccard index of the top k features of two scores.

    .. math::
        \frac{|A ∩ B|}{|A ∪ B|} = \frac{|A ∩ B|}{2k − |A ∩ B|}

    with A and B the top k sets, and the expected intersection where scores tie.

    Args:
        a: ``(..., d)`` floating.
        b: the same shape.
        k: number of features (int), or a fraction of them, rounded up (float).

    Returns:
        ``(...)`` in [0, 1].

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, or ``k`` out of range.

    Example:
        >>> jaccard_at_k(torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([4.0, 1.0, 2.0, 3.0]), 2)
        tensor(0.3333)
    """
    overlap = top_k_overlap(a, b, k)
    return overlap / (2 - overlap)


@torch.no_grad()
def kuncheva_index(a: Tensor, b: Tensor, k: int | float) -> Tensor:
    r"""Overlap of the top k features of two scores, corrected for chance.

    .. math::
        \frac{|A ∩ B| \, d − k^2}{k \, (d − k)}

    with A and B the top k sets.

    Args:
        a: ``(..., d)`` floating.
        b: the same shape.
        k: number of features (int) below d, or a fraction of them, rounded up (float).

    Returns:
        ``(...)`` in [-1, 1]; 1 for equal sets, 0 by chance and for constant scores.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, or ``k`` out of range.

    Example:
        >>> a, b = torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([4.0, 1.0, 2.0, 3.0])
        >>> kuncheva_index(a, b, k=2)
        tensor(0.)

    References:
        Kuncheva, *A stability index for feature selection*, AIA 2007.
    """
    overlap = top_k_overlap(a, b, k)
    d = a.shape[-1]
    k = resolve_k(k, d)
    if k == d:
        raise ValueError(
            f"k must be below the number of features, {d}, for Kuncheva's index, got {k}"
        )
    return (overlap * d - k) / (d - k)


@torch.no_grad()
def pairwise_stability(
    scores: Tensor, measure: StabilityName = "spearman", k: int | float | None = None
) -> Tensor:
    """Agreement of each pair of runs, in the order (0, 1), (0, 2), ..., (1, 2), ...

    Args:
        scores: ``(R, d)`` floating, one row for each run, R >= 2.
        measure: ``"spearman"``, ``"kendall"``, ``"top_k_overlap"``, ``"jaccard_at_k"`` or
            ``"kuncheva_index"``.
        k: for the last three, see :func:`top_k_overlap`.

    Returns:
        ``(R (R - 1) / 2,)``.

    Raises:
        TypeError: if ``scores`` is not floating.
        ValueError: for fewer than two runs, NaN or infinite values, an unknown measure, or a
            missing ``k``.

    Example:
        >>> runs = torch.tensor([[3.0, 2.0, 1.0], [5.0, 4.0, 0.0], [1.0, 2.0, 3.0]])
        >>> pairwise_stability(runs)
        tensor([ 1.0000, -1.0000, -1.0000])
    """
    check_stability(measure, k)
    if scores.ndim != 2 or len(scores) < 2:
        raise ValueError(
            f"scores must have shape (R, d) with R >= 2 runs, got {tuple(scores.shape)}"
        )
    first, second = torch.combinations(torch.arange(len(scores), device=scores.device)).unbind(1)
    return score_agreement(measure, scores[first], scores[second], k)


def importance_stability(
    scores: Tensor, measure: StabilityName = "spearman", k: int | float | None = None
) -> Tensor:
    r"""Mean agreement over all pairs of runs.

    .. math::
        \binom R2^{-1} \sum_{i<j} \mathrm{measure}(s_i, s_j)

    When you report the value, say how the runs differ: in their seeds, or in bootstrap samples of
    the rows.

    Args:
        scores: ``(R, d)`` floating, one row for each run, R >= 2.
        measure: see :func:`pairwise_stability`.
        k: see :func:`pairwise_stability`.

    Returns:
        Scalar; 0 for constant scores, k/d for ``"top_k_overlap"``, or k/(2d - k) for
        ``"jaccard_at_k"``.

    Raises:
        TypeError: if ``scores`` is not floating.
        ValueError: for fewer than two runs, NaN or infinite values, an unknown measure, or a
            missing ``k``.

    Example:
        >>> runs = torch.tensor([[3.0, 2.0, 1.0], [5.0, 4.0, 0.0], [1.0, 2.0, 3.0]])
        >>> importance_stability(runs, "jaccard_at_k", k=1)
        tensor(0.3333)
    """
    return pairwise_stability(scores, measure, k).mean()


def score_agreement(
    measure: StabilityName, a: Tensor, b: Tensor, k: int | float | None = None
) -> Tensor:
    """Return one of the five measures by its name, ``(...)``.

    Args:
        measure: see :func:`pairwise_stability`.
        a: ``(..., d)`` floating.
        b: the same shape.
        k: see :func:`pairwise_stability`.

    Raises:
        ValueError: for an unknown measure, or a missing ``k``.

    Example:
        >>> score_agreement("spearman", torch.tensor([1.0, 2.0]), torch.tensor([0.0, 5.0]))
        tensor(1.0000)
    """
    check_stability(measure, k)
    if measure == "spearman":
        return spearman(a, b)
    if measure == "kendall":
        return kendall(a, b)
    assert k is not None
    functions = {
        "top_k_overlap": top_k_overlap,
        "jaccard_at_k": jaccard_at_k,
        "kuncheva_index": kuncheva_index,
    }
    return functions[measure](a, b, k)


def check_stability(measure: StabilityName, k: int | float | None) -> None:
    """Raise a ``ValueError`` for an unknown measure, or if the measure requires k and k is None.

    Example:
        >>> check_stability("jaccard_at_k", None)
        Traceback (most recent call last):
        ...
        ValueError: k must be the number of top features for jaccard_at_k, got None
    """
    check_choice("measure", measure, STABILITY_NAMES)
    if measure in NEED_K and k is None:
        raise ValueError(f"k must be the number of top features for {measure}, got None")
