"""Whether attributions predict how far the output drops when features are removed, per sample.

A removed feature takes the value of a baseline. ``drops`` are f(x) − f(x∖I), the output minus the
output without the features I; ``removed_saliency`` is the sum of the saliency of I. The metrics of
removal curves are in :mod:`pear_lightning.functional.faithfulness_curves`.

All functions take ``(B, ...)`` and return :class:`~pear_lightning.functional.per_sample.PerSample`:
values ``(B,)``, and where they are undefined. A row is constant if it varies by no more than
rounding; see :mod:`pear_lightning.functional.masked_correlation`.
"""

import torch
from torch import Tensor

from pear_lightning.functional.masked_correlation import (
    masked_pearson,
    masked_spearman,
    present_or_all,
)
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import (
    at_least_float32,
    check_finite,
    check_floating,
    check_rows,
    check_same_shape,
)


def faithfulness_correlation(removed_saliency: Tensor, drops: Tensor) -> PerSample:
    r"""Correlation, over random subsets, of the removed saliency and the drop of the output.

    .. math::
        \mathrm{FC} = ρ_P\Bigl( \bigl(\sum_{i ∈ I_j} s_i\bigr)_{j ≤ K},
        \bigl(f(x) − f(x ∖ I_j)\bigr)_{j ≤ K} \Bigr)

    Higher is better; 1 for an additive output and its contributions, 0 by chance. Adding a constant
    to the saliency changes the value only if the subsets differ in size.

    Args:
        removed_saliency: ``(B, K)`` floating, sums of the saliency over K subsets.
        drops: ``(B, K)`` floating.

    Returns:
        Values ``(B,)`` in [-1, 1], float32 or better; 0 and undefined where a row is constant, as
        every row is for K = 1.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, or NaN or infinite values.

    Example:
        >>> removed_saliency = torch.tensor([[0.3, 0.5, 0.1], [0.2, 0.2, 0.2]])
        >>> drops = torch.tensor([[0.5, 0.6, 0.2], [0.1, 0.2, 0.3]])
        >>> faithfulness_correlation(removed_saliency, drops)
        PerSample(values=tensor([0.9608, 0.0000]), undefined=tensor([False,  True]))

    References:
        Bhatt, Weller, Moura, *Evaluating and Aggregating Feature-based Model Explanations*,
        IJCAI 2020, arXiv 2005.00631 (subsets of one size). With subsets that contain each feature
        with probability 1/2, this is what the code released with Guo et al., *Learning for Highly
        Faithful Explainability*, ICLR 2026, calls infidelity.
    """
    return masked_pearson(removed_saliency, drops, names=("removed_saliency", "drops"))


def faithfulness_estimate(
    saliency: Tensor, drops: Tensor, present: Tensor | None = None
) -> PerSample:
    r"""Correlation, over features, of their saliency and the drop when each is removed alone.

    .. math::
        \mathrm{FE} = ρ_P\bigl( (s_i)_{i ≤ n}, (f(x) − f(x ∖ \{i\}))_{i ≤ n} \bigr)

    Higher is better; 1 for an additive output and its contributions, 0 by chance.

    Args:
        saliency: ``(B, n)`` floating, signed; or the sums over n groups of features.
        drops: ``(B, n)`` floating, when that feature or group alone is removed.
        present: ``(B, n)`` bool, the features that a sample has; None for all. Values of absent
            features are ignored.

    Returns:
        Values ``(B,)`` in [-1, 1], float32 or better; 0 and undefined where a row is constant or a
        sample has fewer than two features.

    Raises:
        TypeError: if ``saliency`` or ``drops`` is not floating, or ``present`` not bool.
        ValueError: for different shapes, or NaN or infinite values.

    Example:
        >>> saliency = torch.tensor([[0.3, 0.5, 0.1, 0.0]])
        >>> drops = torch.tensor([[0.2, 0.3, 0.0, 0.9]])
        >>> faithfulness_estimate(saliency, drops, torch.tensor([[True, True, True, False]])).values
        tensor([0.9820])

    References:
        Alvarez-Melis, Jaakkola, *Towards Robust Interpretability with Self-Explaining Neural
        Networks*, NeurIPS 2018, arXiv 1806.07538. Guo et al., *Learning for Highly Faithful
        Explainability*, ICLR 2026, use groups of features in descending order of saliency. Sorting
        makes one of the two rows descend, so these values cannot be compared with those of single
        features.
    """
    return masked_pearson(saliency, drops, present, names=("saliency", "drops"))


@torch.no_grad()
def monotonicity_correlation(
    saliency: Tensor,
    drops: Tensor,
    present: Tensor | None = None,
    *,
    absolute: bool = True,
) -> PerSample:
    r"""Rank correlation, over features, of importance and mean squared effect of a replacement.

    .. math::
        \mathrm{MC} = ρ_S\bigl( (|s_i|)_{i ≤ n}, (e_i)_{i ≤ n} \bigr), \qquad
        e_i = \frac1R \sum_{r ≤ R} (f(x) − f(x ∖_r \{i\}))^2

    with R draws of the replacement, and ties at average ranks. Higher is better; 0 by chance.
    No gradient.

    Args:
        saliency: ``(B, n)`` floating, signed; or the sums over n groups of features.
        drops: ``(B, n)`` floating, when that feature or group alone is replaced, or ``(B, R, n)``
            for R draws of the replacement.
        present: ``(B, n)`` bool, the features that a sample has; None for all. Values of absent
            features are ignored.
        absolute: whether to rank absolute values of the saliency; if not, signed values are ranked.

    Returns:
        Values ``(B,)`` in [-1, 1], float32 or better; 0 and undefined where a row is constant or a
        sample has fewer than two features.

    Raises:
        TypeError: if ``saliency`` or ``drops`` is not floating, or ``present`` not bool.
        ValueError: for shapes that do not fit, or NaN or infinite values.

    Example:
        >>> saliency = torch.tensor([[0.3, -0.5, 0.1]])
        >>> drops = torch.tensor([[0.4, -0.2, 0.0]])
        >>> monotonicity_correlation(saliency, drops).values
        tensor([0.5000])
        >>> monotonicity_correlation(saliency, drops, absolute=False).values
        tensor([0.5000])

    References:
        Nguyen, Martínez, *On quantitative aspects of model interpretability*, arXiv 2007.07584.
        ``absolute=False`` and groups of features in ascending order of saliency are the form of
        Guo et al., *Learning for Highly Faithful Explainability*, ICLR 2026.

    Deviations from the paper:
        The effects are not divided by f(x)², which does not change ranks.
    """
    check_rows("saliency", saliency)
    check_floating("drops", drops)
    draws = drops[:, None] if drops.ndim == 2 else drops
    if draws.ndim != 3 or draws.shape[1] < 1:
        raise ValueError(
            f"drops must have shape (B, n), or (B, R, n) with R >= 1, got {tuple(drops.shape)}"
        )
    check_same_shape("saliency", saliency, "each draw of drops", draws[:, 0])
    present = present_or_all(saliency, present, name="saliency")
    draws = at_least_float32(draws).masked_fill(~present[:, None], 0)
    check_finite("drops", draws)
    # relative to the largest drop, because squares of small drops would underflow; the unit does
    # not change ranks
    unit = draws.abs().amax(dim=(1, 2), keepdim=True)
    effects = (draws / unit.masked_fill(unit == 0, 1)).square().mean(dim=1)
    importance = saliency.abs() if absolute else saliency
    return masked_spearman(importance, effects, present, names=("saliency", "drops"))


def infidelity(removed_saliency: Tensor, drops: Tensor, *, normalize: bool = False) -> PerSample:
    r"""Mean squared error, over random subsets, of the removed saliency as a forecast of the drop.

    .. math::
        \mathrm{INFD} = \frac1K \sum_{j ≤ K} \bigl( β σ_j − Δ_j \bigr)^2, \qquad
        σ_j = \sum_{i ∈ I_j} s_i, \quad Δ_j = f(x) − f(x ∖ I_j)

    with β = 1 or, if ``normalize`` is set, the β with the smallest error, Σ σΔ / Σ σ² (0 where all
    σ are 0), which makes the value independent of the unit of the saliency. Lower is better; 0 for
    an additive output and its contributions. The unit of the value is the square of the unit of the
    output.

    The saliency must already contain the change of the input: multiply gradients by (x − baseline),
    but not the contributions of Integrated Gradients or SHAP.

    Args:
        removed_saliency: ``(B, K)`` floating, sums σ of the saliency over K subsets.
        drops: ``(B, K)`` floating, Δ.
        normalize: whether to scale the saliency by β first.

    Returns:
        Values ``(B,)``, at least 0, float32 or better, differentiable; always defined.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, or NaN or infinite values.

    Example:
        >>> removed_saliency = torch.tensor([[0.3, 0.5, 0.1]])
        >>> drops = torch.tensor([[0.6, 1.0, 0.2]])
        >>> infidelity(removed_saliency, drops).values
        tensor([0.1167])
        >>> infidelity(removed_saliency, drops, normalize=True).values
        tensor([0.])

    References:
        Yeh, Hsieh, Suggala, Inouye, Ravikumar, *On the (In)fidelity and Sensitivity of
        Explanations*, NeurIPS 2019, arXiv 1901.09392; β is in the code that they released.
    """
    check_rows("removed_saliency", removed_saliency)
    check_rows("drops", drops)
    check_same_shape("removed_saliency", removed_saliency, "drops", drops)
    check_finite("removed_saliency", removed_saliency)
    check_finite("drops", drops)
    sums, drops = at_least_float32(removed_saliency), at_least_float32(drops)
    if normalize:
        # relative to the largest sum, because squares of small sums would underflow
        unit = sums.detach().abs().amax(dim=-1, keepdim=True)
        sums = sums / unit.masked_fill(unit == 0, 1)
        square = sums.square().sum(dim=-1, keepdim=True)
        sums = sums * (sums * drops).sum(dim=-1, keepdim=True) / square.masked_fill(unit == 0, 1)
    values = (sums - drops).square().mean(dim=-1)
    return PerSample(values, torch.zeros_like(values, dtype=torch.bool))
