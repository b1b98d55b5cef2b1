"""Whether removing features in the order of their saliency moves the output, per sample.

The metrics of faithfulness that read a curve (see :mod:`pear_lightning.functional.curves` for what
one is): of removing the most relevant features first, the least relevant first, or of inserting the
most relevant first. All four areas are the same sum; they differ in the curve they are given, and
in what their papers read off it.

All functions take ``(B, P)`` and return :class:`~pear_lightning.functional.per_sample.PerSample`.
"""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.curves import (
    area_under_curve,
    check_hits,
    freeze_after_flip,
    mean_drop,
    relative_curve,
)
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import check_choice, check_rows

CurveValue = Literal["score", "accuracy", "ratio"]
CURVE_VALUES: tuple[CurveValue, ...] = ("score", "accuracy", "ratio")


def perturbation_area(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    *,
    value: CurveValue = "score",
    freeze: bool = False,
    include_start: bool = True,
    include_end: bool = True,
    normalize: bool = True,
    original: Tensor | None = None,
    threshold: float = 1e-5,
) -> PerSample:
    """Area under a curve of scores, of accuracy, or of scores relative to the original one.

    :func:`deletion`, :func:`insertion`, :func:`positive_perturbation` and
    :func:`negative_perturbation` are this function on their curves.

    Args:
        scores: ``(B, P)`` floating, the explained output at each point.
        fractions: ``(B, P)`` or ``(P,)`` floating, ascending; see
            :mod:`pear_lightning.functional.curves`.
        hits: ``(B, P)`` bool, whether the model predicts the explained class at each point; needed
            for accuracy and for freezing.
        value: height of the curve: ``"score"``, the output itself; ``"accuracy"``, 1 where the
            explained class is predicted and 0 elsewhere; ``"ratio"``, the output relative to
            ``original``.
        freeze: whether the curve keeps its value from the first point on where the explained class
            is not predicted.
        include_start: whether the curve begins at its first point; if not, it begins after the
            first step.
        include_end: whether the curve ends at its last point; if not, it ends before the last step.
        normalize: whether to divide by the width of the curve.
        original: ``(B,)`` floating, the output for the sample as it is; None for that at the first
            point. For ``value="ratio"``.
        threshold: an original output not above this makes a ratio undefined; in units of the
            output.

    Returns:
        Areas ``(B,)``, float32 or better; 0 and undefined where the curve has no width, or no
        ratio.

    Raises:
        TypeError: if ``scores`` or ``fractions`` is not floating, or ``hits`` not bool.
        ValueError: for shapes that do not fit, NaN or infinite values, descending fractions, an
            unknown ``value``, or missing ``hits``.

    Example:
        >>> scores, fractions = torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
        >>> hits = torch.tensor([[True, False, False]])
        >>> perturbation_area(scores, fractions, hits, freeze=True).values
        tensor([0.5000])
        >>> perturbation_area(scores, fractions, hits, value="accuracy").values
        tensor([0.2500])
        >>> perturbation_area(scores, fractions, value="ratio").values
        tensor([0.5625])
    """
    check_choice("value", value, CURVE_VALUES)
    check_rows("scores", scores)
    undefined = torch.zeros_like(scores[..., 0], dtype=torch.bool)
    heights = scores
    if value == "ratio":
        heights, undefined = relative_curve(
            scores, scores[..., 0] if original is None else original, threshold=threshold
        )
    if value == "accuracy" or freeze:
        if hits is None:
            option = "freeze=True" if freeze else "value='accuracy'"
            raise ValueError(f"{option} needs hits (B, P): where the explained class is predicted")
        check_hits(hits, scores)
        heights = hits.to(heights.dtype) if value == "accuracy" else heights
        heights = freeze_after_flip(heights, hits) if freeze else heights
    area, no_width = area_under_curve(
        heights,
        fractions,
        include_start=include_start,
        include_end=include_end,
        normalize=normalize,
    )
    undefined = undefined | no_width
    return PerSample(area.masked_fill(undefined, 0), undefined)


def deletion(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    *,
    value: CurveValue = "score",
    freeze: bool = False,
    include_start: bool = True,
    include_end: bool = True,
    normalize: bool = True,
) -> PerSample:
    r"""Area under the output while the most relevant features are removed first.

    .. math::
        \mathrm{DEL} = \sum_{k=1}^{m} (t_k − t_{k-1}) \,
        \frac{f(x ∖ I_k) + f(x ∖ I_{k-1})}{2}

    with I_k the features removed up to step k and t_k their share. Lower is better.

    Args:
        scores: ``(B, P)`` floating, of x as it is first and of the empty input last.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        hits: see :func:`perturbation_area`.
        value: see :func:`perturbation_area`.
        freeze: see :func:`perturbation_area`.
        include_start: see :func:`perturbation_area`.
        include_end: see :func:`perturbation_area`.
        normalize: see :func:`perturbation_area`.

    Returns:
        Areas ``(B,)``; see :func:`perturbation_area`.

    Raises:
        TypeError: see :func:`perturbation_area`.
        ValueError: see :func:`perturbation_area`.

    Example:
        >>> deletion(torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])).values
        tensor([0.4500])

    References:
        Petsiuk, Das, Saenko, *RISE: Randomized Input Sampling for Explanation of Black-box
        Models*, BMVC 2018, arXiv 1806.07421. ``include_start=False, normalize=False`` is the form
        of Guo et al., *Learning for Highly Faithful Explainability*, ICLR 2026.
    """
    return perturbation_area(
        scores,
        fractions,
        hits,
        value=value,
        freeze=freeze,
        include_start=include_start,
        include_end=include_end,
        normalize=normalize,
    )


def insertion(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    *,
    value: CurveValue = "score",
    freeze: bool = False,
    include_start: bool = True,
    include_end: bool = True,
    normalize: bool = True,
    original: Tensor | None = None,
) -> PerSample:
    r"""Area under the output while the most relevant features are put into the empty input first.

    .. math::
        \mathrm{INS} = \sum_{k=1}^{m} (t_k − t_{k-1}) \,
        \frac{f(x_k) + f(x_{k-1})}{2}

    with x_0 the empty input, x_k what it is after step k and t_k the share inserted. Higher is
    better.

    Args:
        scores: ``(B, P)`` floating, of the empty input first and of x as it is last.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share inserted, ascending. A curve of
            removing the least relevant features first becomes one of insertion by
            :func:`~pear_lightning.functional.curves.reverse_curve`.
        hits: see :func:`perturbation_area`.
        value: see :func:`perturbation_area`.
        freeze: see :func:`perturbation_area`; a curve that starts without a hit is flat.
        include_start: see :func:`perturbation_area`; the start is the empty input.
        include_end: see :func:`perturbation_area`.
        normalize: see :func:`perturbation_area`.
        original: for ``value="ratio"``, ``(B,)``, the output for x as it is; None for the last
            score.

    Returns:
        Areas ``(B,)``; see :func:`perturbation_area`.

    Raises:
        TypeError: see :func:`perturbation_area`.
        ValueError: see :func:`perturbation_area`.

    Example:
        >>> insertion(torch.tensor([[0.2, 0.7, 0.8]]), torch.tensor([0.0, 0.5, 1.0])).values
        tensor([0.6000])

    References:
        Petsiuk, Das, Saenko, *RISE: Randomized Input Sampling for Explanation of Black-box
        Models*, BMVC 2018, arXiv 1806.07421. ``include_start=False, normalize=False`` is the form
        of Guo et al., *Learning for Highly Faithful Explainability*, ICLR 2026.
    """
    return perturbation_area(
        scores,
        fractions,
        hits,
        value=value,
        freeze=freeze,
        include_start=include_start,
        include_end=include_end,
        normalize=normalize,
        original=scores[..., -1] if original is None else original,
    )


def positive_perturbation(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    *,
    value: CurveValue = "score",
    freeze: bool = False,
    include_start: bool = True,
    include_end: bool = True,
    normalize: bool = True,
) -> PerSample:
    """Area under the output, or accuracy, while the most relevant features are removed first.

    The formula of :func:`deletion`, and the same number unless ``value`` or ``freeze`` say
    otherwise. Lower is better.

    Args:
        scores: ``(B, P)`` floating, of x as it is first.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        hits: see :func:`perturbation_area`.
        value: see :func:`perturbation_area`.
        freeze: see :func:`perturbation_area`.
        include_start: see :func:`perturbation_area`.
        include_end: see :func:`perturbation_area`.
        normalize: see :func:`perturbation_area`.

    Returns:
        Areas ``(B,)``; see :func:`perturbation_area`.

    Raises:
        TypeError: see :func:`perturbation_area`.
        ValueError: see :func:`perturbation_area`.

    Example:
        >>> scores, fractions = torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
        >>> hits = torch.tensor([[True, True, False]])
        >>> positive_perturbation(scores, fractions, hits, value="accuracy").values
        tensor([0.7500])

    References:
        Chefer, Gur, Wolf, *Transformer Interpretability Beyond Attention Visualization*, CVPR 2021,
        arXiv 2012.09838 (``value="accuracy"`` in ten steps, without the ends). ``freeze=True,
        include_start=False, normalize=False`` is the form of Guo et al., *Learning for Highly
        Faithful Explainability*, ICLR 2026.
    """
    return perturbation_area(
        scores,
        fractions,
        hits,
        value=value,
        freeze=freeze,
        include_start=include_start,
        include_end=include_end,
        normalize=normalize,
    )


def negative_perturbation(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    *,
    value: CurveValue = "score",
    freeze: bool = False,
    include_start: bool = True,
    include_end: bool = True,
    normalize: bool = True,
) -> PerSample:
    """Area under the output, or accuracy, while the least relevant features are removed first.

    The formula of :func:`deletion` on the other curve. Higher is better; without freezing it equals
    :func:`insertion` into the same baseline.

    Args:
        scores: ``(B, P)`` floating, of x as it is first.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        hits: see :func:`perturbation_area`.
        value: see :func:`perturbation_area`.
        freeze: see :func:`perturbation_area`.
        include_start: see :func:`perturbation_area`.
        include_end: see :func:`perturbation_area`.
        normalize: see :func:`perturbation_area`.

    Returns:
        Areas ``(B,)``; see :func:`perturbation_area`.

    Raises:
        TypeError: see :func:`perturbation_area`.
        ValueError: see :func:`perturbation_area`.

    Example:
        >>> scores, fractions = torch.tensor([[0.8, 0.7, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
        >>> negative_perturbation(scores, fractions).values
        tensor([0.6000])

    References:
        Chefer, Gur, Wolf, *Transformer Interpretability Beyond Attention Visualization*, CVPR 2021,
        arXiv 2012.09838; see :func:`positive_perturbation`.
    """
    return perturbation_area(
        scores,
        fractions,
        hits,
        value=value,
        freeze=freeze,
        include_start=include_start,
        include_end=include_end,
        normalize=normalize,
    )


def region_perturbation(
    scores: Tensor, fractions: Tensor, *, include_start: bool = True
) -> PerSample:
    r"""Mean drop of the output while the most relevant features are removed first (AOPC).

    .. math::
        \mathrm{AOPC} = \frac{1}{L + 1} \sum_{k=0}^{L} \bigl( f(x) − f(x ∖ I_k) \bigr)

    Higher is better.

    Args:
        scores: ``(B, P)`` floating, of x as it is first.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        include_start: see :func:`~pear_lightning.functional.curves.mean_drop`.

    Returns:
        Values ``(B,)``; see :func:`~pear_lightning.functional.curves.mean_drop`.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for shapes that do not fit, NaN or infinite values, or descending fractions.

    Example:
        >>> scores, fractions = torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
        >>> region_perturbation(scores, fractions).values
        tensor([0.3333])

    References:
        Samek, Binder, Montavon, Bach, Müller, *Evaluating the visualization of what a deep neural
        network has learned*, arXiv 1509.06321. ``include_start=False`` is the form of Guo et al.,
        *Learning for Highly Faithful Explainability*, ICLR 2026.
    """
    return mean_drop(scores, fractions, include_start=include_start)


def irof(
    scores: Tensor,
    fractions: Tensor,
    *,
    threshold: float = 1e-5,
    include_start: bool = True,
    include_end: bool = True,
    normalize: bool = True,
) -> PerSample:
    r"""Area over the output relative to that of x, while the most relevant features go first.

    .. math::
        \mathrm{IROF} = \sum_{k=1}^{m} (t_k − t_{k-1}) \Bigl( 1 −
        \frac{f(x ∖ I_k) + f(x ∖ I_{k-1})}{2 f(x)} \Bigr)

    with segments of an image as features. Higher is better; at most 1 for a positive output, and
    negative where removing features raises it. It is 1 − DEL / f(x) on the same curve.

    Args:
        scores: ``(B, P)`` floating, of x as it is first; a positive output (a probability).
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        threshold: an output f(x) not above this makes the value undefined; in units of the output,
            at least 0.
        include_start: see :func:`perturbation_area`.
        include_end: see :func:`perturbation_area`.
        normalize: see :func:`perturbation_area`.

    Returns:
        Values ``(B,)``, float32 or better; 0 and undefined where f(x) is not above the threshold or
        the curve has no width.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for shapes that do not fit, NaN or infinite values, descending fractions, or a
            negative threshold.

    Example:
        >>> scores = torch.tensor([[0.8, 0.4, 0.2], [0.0, 0.1, 0.1]])
        >>> irof(scores, torch.tensor([0.0, 0.5, 1.0]))
        PerSample(values=tensor([0.4375, 0.0000]), undefined=tensor([False,  True]))

    References:
        Rieger, Hansen, *IROF: a low resource evaluation metric for explanation methods*, ICLR 2020
        workshop, arXiv 2003.08747. ``include_start=False, normalize=False`` is the form of Guo et
        al., *Learning for Highly Faithful Explainability*, ICLR 2026.
    """
    check_rows("scores", scores)
    ratios, no_ratio = relative_curve(scores, scores[..., 0], threshold=threshold)
    area, no_width = area_under_curve(
        1 - ratios,
        fractions,
        include_start=include_start,
        include_end=include_end,
        normalize=normalize,
    )
    undefined = no_ratio | no_width
    return PerSample(area.masked_fill(undefined, 0), undefined)
