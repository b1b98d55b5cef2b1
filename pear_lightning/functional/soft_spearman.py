"""Differentiable Spearman correlation: the Pearson correlation of soft ranks."""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.correlation import check_row_pair, pearson
from pear_lightning.functional.soft_rank import SoftRankBackend, soft_rank
from pear_lightning.functional.unit_rows import unit_rows
from pear_lightning.functional.validation import (
    at_least_float32,
    check_choice,
    check_finite,
    check_rows,
)

Normalization = Literal["max", "none"]
RELATIVE_STRENGTH = 0.4  # times 1/n, in units of the row's maximum
PAPER_STRENGTH = 0.2  # of Schwarzschild et al., for unnormalized rows


def soft_rank_saliency(
    attributions: Tensor,
    normalize: Normalization = "max",
    strength: float | None = None,
    backend: SoftRankBackend = "torch",
    *,
    present: Tensor | None = None,
    validate: bool = True,
) -> Tensor:
    """Soft ranks of the absolute values of each row, with a strength that fits its scale.

    Args:
        attributions: ``(..., n)`` floating, signed, n >= 1.
        normalize: ``"max"`` divides each row by its largest absolute value, a constant to autograd
            (:func:`~pear_lightning.functional.unit_rows.unit_rows`), ``"none"`` leaves it
            unchanged.
        strength: strength of the soft rank, in the unit of the normalized rows. None for 0.4/n with
            ``"max"``, which is 0.05 for 8 features, and for 0.2 with ``"none"``, as in PEAR. With
            ``"max"`` a strength of 2/n or more ranks nothing: the result is linear in the absolute
            values.
        backend: see :func:`~pear_lightning.functional.soft_rank.soft_rank`.
        present: ``(..., n)`` bool, or broadcasts to that: the features that a row has. They get the
            ranks, and n in the strength is the number, of the features of the row. None for all.
        validate: whether to check for NaN and infinite values.

    Returns:
        ``(..., n)`` in [1, n], float64 for float64 input and float32 otherwise; 0 for features that
        a row lacks.

    Raises:
        TypeError: if ``attributions`` is not floating.
        ValueError: for NaN or infinite values, a strength that is not positive, an unknown option.
        ImportError: if ``backend="torchsort"`` and torchsort is missing.

    Example:
        >>> import torch
        >>> soft_rank_saliency(torch.tensor([0.2, 0.1, -0.75, 0.4]), "none")
        tensor([1.8333, 1.3333, 4.0000, 2.8333])
        >>> soft_rank_saliency(torch.tensor([0.2, 0.1, -0.75, 0.4]))
        tensor([2., 1., 4., 3.])

    References:
        Schwarzschild, Cembalest, Rao, Hines, Dickerson, *Reckoning with the Disagreement Problem:
        Explanation Consensus as a Training Objective*, AIES 2023, arXiv 2303.13299.

    Deviations from the paper:
        The paper ranks unnormalized rows with strength 0.2, so its ranks depend on the scale of the
        gradients; ``normalize="none"`` does the same.
    """
    check_choice("normalize", normalize, ("max", "none"))
    check_rows("attributions", attributions)
    if validate:
        check_finite("attributions", attributions)
    rows = at_least_float32(attributions)
    if present is not None:
        rows = rows.masked_fill(~present, 0)
    if normalize == "max":
        rows = unit_rows(rows)
    return soft_ranks_of_rows(
        rows, normalize, strength, backend, present=present, validate=validate
    )


def soft_ranks_of_rows(
    rows: Tensor,
    normalize: Normalization,
    strength: float | None,
    backend: SoftRankBackend,
    *,
    present: Tensor | None,
    validate: bool,
) -> Tensor:
    """Soft ranks of the absolute values of rows that are already normalised.

    Args:
        rows: ``(..., n)`` float32 or float64, 0 for features that a row lacks.
        normalize: how the rows were normalised.
        strength: see :func:`soft_rank_saliency`, as all other arguments.
        backend: likewise.
        present: likewise.
        validate: likewise.

    Returns:
        ``(..., n)``, as :func:`soft_rank_saliency`.

    Example:
        >>> rows = torch.tensor([0.2, 0.1, -1.0, 0.4])
        >>> soft_ranks_of_rows(rows, "max", None, "torch", present=None, validate=True)
        tensor([2., 1., 4., 3.])
    """
    saliency = rows.abs()
    # the only error left for soft_rank to find is an overflow, which needs unbounded values
    check_again = validate and normalize == "none"
    if present is None:
        if strength is None:
            relative = RELATIVE_STRENGTH / rows.shape[-1]
            strength = relative if normalize == "max" else PAPER_STRENGTH
        return soft_rank(saliency, strength, backend=backend, validate=check_again)
    strengths = _strengths(present, normalize, strength).to(saliency.dtype)
    # above the largest by more than the n ranks can bridge, so absent features are ranked last, in
    # blocks of their own, and leave the other ranks and their gradients as they are
    above = saliency.detach().amax(dim=-1, keepdim=True) + (present.shape[-1] + 1) * strengths
    ranks = soft_rank(
        torch.where(present, saliency, above), strengths, backend=backend, validate=check_again
    )
    return ranks.masked_fill(~present, 0)


def soft_spearman(
    a: Tensor,
    b: Tensor,
    *,
    normalize: Normalization = "max",
    strength: float | None = None,
    backend: SoftRankBackend = "torch",
    validate: bool = True,
) -> Tensor:
    """Spearman correlation of the absolute values of each row, differentiable through soft ranks.

    Signs play no role: ``soft_spearman(a, -a)`` is 1. A row whose absolute values are all equal has
    correlation 0 and a gradient of zero.

    Args:
        a: ``(..., n)`` floating, signed, n >= 1.
        b: the same shape.
        normalize: see :func:`soft_rank_saliency`.
        strength: see :func:`soft_rank_saliency`.
        backend: see :func:`~pear_lightning.functional.soft_rank.soft_rank`.
        validate: whether to check for NaN and infinite values.

    Returns:
        ``(...)`` in [-1, 1] up to rounding, float64 if both are float64 and float32 otherwise.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for different shapes, NaN or infinite values, a strength that is not positive.
        ImportError: if ``backend="torchsort"`` and torchsort is missing.

    Example:
        >>> import torch
        >>> a = torch.tensor([0.1, -0.2, 0.9, 0.3])
        >>> b = torch.tensor([0.2, 0.1, 0.75, -0.4])
        >>> soft_spearman(a, b, normalize="none")
        tensor(0.9165)

    References:
        Schwarzschild et al., *Reckoning with the Disagreement Problem: Explanation Consensus as a
        Training Objective*, AIES 2023, arXiv 2303.13299; soft ranks of Blondel et al., ICML 2020,
        arXiv 2002.08871.

    Deviations from the paper:
        See :func:`soft_rank_saliency`; ``normalize="none"`` is the paper's.
    """
    check_row_pair(a, b, validate)
    rank_a, rank_b = (
        soft_rank_saliency(row, normalize, strength, backend, validate=False) for row in (a, b)
    )
    return pearson(rank_a, rank_b, validate=False)


def _strengths(present: Tensor, normalize: Normalization, strength: float | None) -> Tensor:
    """Return the strength of each row, ``(..., 1)``."""
    counts = present.sum(dim=-1, keepdim=True).double()
    if strength is None and normalize == "max":
        return RELATIVE_STRENGTH / counts.clamp(min=1)
    return torch.full_like(counts, PAPER_STRENGTH if strength is None else strength)
