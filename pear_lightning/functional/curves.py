"""Curves of a model's output while features are removed or inserted, and measures of them.

A curve has P points for each sample: ``scores (B, P)`` at ``fractions (B, P)``, the share of the
sample's features that has been removed (or inserted), ascending. The first point is the start; for
a removal curve it is the unperturbed sample, at fraction 0. Fractions are exact, so steps of
different sizes are weighted by their size. Samples with fewer features than steps repeat points: a
point with the fraction of the previous one has no weight.
"""

import torch
from torch import Tensor

from pear_lightning.functional.headroom import headroom
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import (
    at_least_float32,
    check_finite,
    check_floating,
    check_rows,
    check_same_shape,
    looks_at,
)


def area_under_curve(
    scores: Tensor,
    fractions: Tensor,
    *,
    include_start: bool = True,
    include_end: bool = True,
    normalize: bool = True,
) -> PerSample:
    r"""Area under each curve by the trapezoidal rule, divided by its width: a mean height.

    .. math::
        \frac{1}{t_m − t_0} \sum_{k=1}^{m} (t_k − t_{k-1}) \, \frac{y_k + y_{k-1}}{2}

    with y the scores and t the fractions. A curve that is always 1 has area 1.

    Args:
        scores: ``(B, P)`` floating.
        fractions: ``(B, P)`` or ``(P,)`` floating, ascending; equal neighbours add nothing.
        include_start: see :class:`~pear_lightning.functional.curve_options.CurveOptions`.
        include_end: see there.
        normalize: see there.

    Returns:
        Areas ``(B,)``, differentiable; 0 and undefined where the curve has no width. Float32 or
        better.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for shapes that do not fit, NaN or infinite values, or descending fractions.

    Example:
        >>> scores, fractions = torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
        >>> area_under_curve(scores, fractions).values
        tensor([0.4500])
        >>> area_under_curve(scores, fractions, include_start=False, normalize=False).values
        tensor([0.1500])

    References:
        Petsiuk, Das, Saenko, *RISE: Randomized Input Sampling for Explanation of Black-box
        Models*, BMVC 2018, arXiv 1806.07421 (both ends counted). ``include_start=False,
        normalize=False`` is the area of Guo et al., *Learning for Highly Faithful Explainability*,
        ICLR 2026, whose largest value is (m - 1)/m.
    """
    scores, fractions = _checked(scores, fractions)
    widths = fractions.diff(dim=-1)
    if not include_start:
        widths = widths.masked_fill(fractions[:, :-1] == fractions[:, :1], 0)
    if not include_end:
        widths = widths.masked_fill(fractions[:, 1:] == fractions[:, -1:], 0)
    area = (widths * (scores[:, 1:] / 2 + scores[:, :-1] / 2)).sum(dim=-1)
    width = widths.sum(dim=-1)
    undefined = width == 0
    if normalize:
        area = area / width.masked_fill(undefined, 1)
    return PerSample(area, undefined)


def mean_drop(scores: Tensor, fractions: Tensor, *, include_start: bool = True) -> PerSample:
    r"""Mean over the points of a curve of how far the output has dropped since the start.

    .. math::
        \frac{1}{L + 1} \sum_{k=0}^{L} (y_0 − y_k)

    All points have the same weight, regardless of the size of the step; repeated points count once.

    Args:
        scores: ``(B, P)`` floating.
        fractions: ``(B, P)`` or ``(P,)`` floating, ascending; a point with the fraction of the
            previous one is not counted.
        include_start: whether the mean includes the start, whose drop is 0; if not, the value is
            (L + 1)/L times as large.

    Returns:
        Mean drops ``(B,)``, differentiable; 0 and undefined for a curve without a step. Float32 or
        better.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for shapes that do not fit, NaN or infinite values, or descending fractions.

    Example:
        >>> scores, fractions = torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
        >>> mean_drop(scores, fractions).values, mean_drop(scores, fractions,
        ...     include_start=False).values
        (tensor([0.3333]), tensor([0.5000]))

    References:
        Samek, Binder, Montavon, Bach, Müller, *Evaluating the visualization of what a deep neural
        network has learned*, arXiv 1509.06321 (before the mean over images).
    """
    scores, fractions = _checked(scores, fractions)
    steps = fractions.diff(dim=-1) > 0
    room = headroom(scores)
    scores = scores * room
    drops = (scores[:, :1] - scores[:, 1:]) * steps
    n_steps = steps.sum(dim=-1)
    mean = drops.sum(dim=-1) / (n_steps + 1 if include_start else n_steps.clamp(min=1))
    mean = mean / room[:, 0]
    return PerSample(mean, n_steps == 0)


def reverse_curve(scores: Tensor, fractions: Tensor) -> tuple[Tensor, Tensor]:
    """Reverse a removal curve: the result is a curve of inserting features into the baseline.

    Removing the least relevant features first, read backwards, is inserting the most relevant
    features first. Areas that include both ends are the same in both directions.

    Args:
        scores: ``(B, P)`` floating.
        fractions: ``(B, P)`` or ``(P,)`` floating, ascending, the share removed.

    Returns:
        Scores and fractions ``(B, P)``, the share inserted.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for shapes that do not fit, NaN or infinite values, or descending fractions.

    Example:
        >>> scores, fractions = torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.25, 1.0])
        >>> reverse_curve(scores, fractions)
        (tensor([[0.2000, 0.4000, 0.8000]]), tensor([[0.0000, 0.7500, 1.0000]]))
    """
    scores, fractions = _checked(scores, fractions)
    return scores.flip(-1), 1 - fractions.flip(-1)


def freeze_after_flip(scores: Tensor, hits: Tensor) -> Tensor:
    """Hold each curve at the score of the first point where the explained class is not predicted.

    Args:
        scores: ``(B, P)`` floating.
        hits: ``(B, P)`` bool, whether the model predicts the explained class.

    Returns:
        Scores ``(B, P)``, float32 or better: all points after the first one without a hit have the
        score of that point. A curve that starts without a hit is flat.

    Raises:
        TypeError: if ``scores`` is not floating, or ``hits`` not bool.
        ValueError: for different shapes, or NaN or infinite values.

    Example:
        >>> scores = torch.tensor([[0.9, 0.6, 0.4, 0.6, 0.1]])
        >>> hits = torch.tensor([[True, True, False, True, False]])
        >>> freeze_after_flip(scores, hits)
        tensor([[0.9000, 0.6000, 0.4000, 0.4000, 0.4000]])

    References:
        The rule is that of the code released with Guo et al., *Learning for Highly Faithful
        Explainability*, ICLR 2026, for positive and negative perturbation.
    """
    check_rows("scores", scores)
    check_finite("scores", scores)
    check_hits(hits, scores)
    positions = torch.arange(scores.shape[-1], device=scores.device).expand_as(hits)
    last = scores.shape[-1] - 1
    first_miss = positions.masked_fill(hits, last).amin(dim=-1, keepdim=True)
    return at_least_float32(scores).gather(-1, positions.minimum(first_miss))


def relative_curve(scores: Tensor, original: Tensor, *, threshold: float = 1e-5) -> PerSample:
    """Divide each curve by the output for the unperturbed sample.

    A ratio to an output near 0 is meaningless, and a ratio to a negative output (a logit, a
    log-probability) rises when the output falls; such rows are undefined.

    Args:
        scores: ``(B, P)`` floating.
        original: ``(B,)`` floating, the output for the unperturbed samples.
        threshold: if the original output is not above this, the row is undefined; in units of the
            output, at least 0.

    Returns:
        Ratios ``(B, P)``, float32 or better; 0 in undefined rows.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for shapes that do not fit, NaN or infinite values, or a negative threshold.

    Example:
        >>> relative_curve(torch.tensor([[0.8, 0.2], [0.0, 0.1]]), torch.tensor([0.8, 0.0]))
        PerSample(values=tensor([[1.0000, 0.2500],
            [0.0000, 0.0000]]), undefined=tensor([False,  True]))
    """
    if not threshold >= 0:
        raise ValueError(f"threshold must be at least 0, got {threshold}")
    check_rows("scores", scores)
    check_floating("original", original)
    if scores.ndim != 2 or original.shape != scores.shape[:1]:
        raise ValueError(
            "scores and original must have shapes (B, P) and (B,), "
            f"got {tuple(scores.shape)} and {tuple(original.shape)}"
        )
    check_finite("scores", scores)
    check_finite("original", original)
    scores, original = at_least_float32(scores), at_least_float32(original)
    undefined = original <= threshold
    ratios = scores / original.masked_fill(undefined, 1)[:, None]
    return PerSample(ratios.masked_fill(undefined[:, None], 0), undefined)


def check_hits(hits: Tensor, scores: Tensor) -> None:
    """Raise unless ``hits`` is bool and shaped like ``scores``.

    Example:
        >>> check_hits(torch.ones(1, 3), torch.ones(1, 3))
        Traceback (most recent call last):
        ...
        TypeError: hits must be bool, true where the explained class is predicted, got torch.float32
    """
    if hits.dtype != torch.bool:
        raise TypeError(
            f"hits must be bool, true where the explained class is predicted, got {hits.dtype}"
        )
    check_same_shape("hits", hits, "scores", scores)


def _checked(scores: Tensor, fractions: Tensor) -> tuple[Tensor, Tensor]:
    """Return both as ``(B, P)`` in one floating type."""
    check_rows("scores", scores)
    check_rows("fractions", fractions)
    if scores.ndim != 2 or fractions.shape not in (scores.shape, scores.shape[1:]):
        raise ValueError(
            "scores and fractions must have shapes (B, P), and (B, P) or (P,), "
            f"got {tuple(scores.shape)} and {tuple(fractions.shape)}"
        )
    check_finite("scores", scores)
    check_finite("fractions", fractions)
    steps = fractions.diff(dim=-1)
    if looks_at(fractions) and bool((steps < 0).any()):
        raise ValueError(f"fractions must ascend in each row, got a step of {steps.min():g}")
    scores = at_least_float32(scores)
    return scores, fractions.to(scores.dtype).expand_as(scores)
