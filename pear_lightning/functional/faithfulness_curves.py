"""Whether removing features in the order of their saliency changes the output, per sample.

These metrics of faithfulness read a curve (see :mod:`pear_lightning.functional.curves`): of
removing the most relevant features first, of removing the least relevant first, or of inserting the
most relevant first. The four areas are the same sum over different curves; their papers read
different heights off them. :class:`~pear_lightning.functional.curve_options.CurveOptions` explains
the options.

All functions take ``(B, P)`` and return :class:`~pear_lightning.functional.per_sample.PerSample`.
"""

from typing import Unpack

import torch
from torch import Tensor

from pear_lightning.functional.curve_options import (
    CURVE_VALUES,
    AreaOptions,
    CurveOptions,
    CurveValue,
)
from pear_lightning.functional.curves import (
    area_under_curve,
    check_hits,
    freeze_after_flip,
    mean_drop,
    relative_curve,
)
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import check_choice, check_rows


def perturbation_area(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    *,
    original: Tensor | None = None,
    threshold: float = 1e-5,
    **options: Unpack[CurveOptions],
) -> PerSample:
    """Area under a curve of scores, of accuracy, or of scores relative to the original one.

    :func:`deletion`, :func:`insertion`, :func:`positive_perturbation` and
    :func:`negative_perturbation` are this function on their curves.

    Args:
        scores: ``(B, P)`` floating, the explained output at each point.
        fractions: ``(B, P)`` or ``(P,)`` floating, ascending; see
            :mod:`pear_lightning.functional.curves`.
        hits: ``(B, P)`` bool, whether the model predicts the explained class at each point;
            required for ``value="accuracy"`` and ``freeze=True``.
        original: ``(B,)`` floating, the output for the unperturbed sample, for ``value="ratio"``;
            None for the first score.
        threshold: if the original output is not above this, the ratio is undefined; in units of the
            output, at least 0.
        **options: see :class:`~pear_lightning.functional.curve_options.CurveOptions`.

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
    return _area(scores, fractions, hits, original, threshold, **options)


def deletion(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    **options: Unpack[CurveOptions],
) -> PerSample:
    r"""Area under the output while the most relevant features are removed first.

    .. math::
        \mathrm{DEL} = \sum_{k=1}^{m} (t_k − t_{k-1}) \,
        \frac{f(x ∖ I_k) + f(x ∖ I_{k-1})}{2}

    with I_k the features removed up to step k and t_k their share. Lower is better. Results and
    errors are those of :func:`perturbation_area`.

    Args:
        scores: ``(B, P)`` floating; the first is the output for x, the last that for the empty
            input.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        hits: see :func:`perturbation_area`.
        **options: see :class:`~pear_lightning.functional.curve_options.CurveOptions`.

    Example:
        >>> deletion(torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])).values
        tensor([0.4500])

    References:
        Petsiuk, Das, Saenko, *RISE: Randomized Input Sampling for Explanation of Black-box
        Models*, BMVC 2018, arXiv 1806.07421. ``include_start=False, normalize=False`` is the form
        of Guo et al., *Learning for Highly Faithful Explainability*, ICLR 2026.
    """
    return _area(scores, fractions, hits, **options)


def insertion(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    *,
    original: Tensor | None = None,
    **options: Unpack[CurveOptions],
) -> PerSample:
    r"""Area under the output while the most relevant features are inserted first.

    .. math::
        \mathrm{INS} = \sum_{k=1}^{m} (t_k − t_{k-1}) \,
        \frac{f(x_k) + f(x_{k-1})}{2}

    with x_0 the empty input, x_k the input after step k and t_k the share inserted. Higher is
    better. Results and errors are those of :func:`perturbation_area`.

    Args:
        scores: ``(B, P)`` floating; the first is the output for the empty input, the last that for
            x.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share inserted, ascending.
            :func:`~pear_lightning.functional.curves.reverse_curve` turns a curve of removing the
            least relevant features first into one of insertion.
        hits: see :func:`perturbation_area`.
        original: ``(B,)`` floating, the output for x, for ``value="ratio"``; None for the last
            score.
        **options: see :class:`~pear_lightning.functional.curve_options.CurveOptions`. The start is
            the empty input, so a frozen curve that starts without a hit is flat.

    Example:
        >>> insertion(torch.tensor([[0.2, 0.7, 0.8]]), torch.tensor([0.0, 0.5, 1.0])).values
        tensor([0.6000])

    References:
        Petsiuk, Das, Saenko, *RISE: Randomized Input Sampling for Explanation of Black-box
        Models*, BMVC 2018, arXiv 1806.07421. ``include_start=False, normalize=False`` is the form
        of Guo et al., *Learning for Highly Faithful Explainability*, ICLR 2026.
    """
    if original is None:
        original = scores[..., -1]
    return _area(scores, fractions, hits, original, **options)


def positive_perturbation(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    **options: Unpack[CurveOptions],
) -> PerSample:
    """Area under the output, or accuracy, while the most relevant features are removed first.

    The formula is that of :func:`deletion`, and so is the value unless ``value`` or ``freeze`` is
    set. Lower is better. Results and errors are those of :func:`perturbation_area`.

    Args:
        scores: ``(B, P)`` floating; the first is the output for x.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        hits: see :func:`perturbation_area`.
        **options: see :class:`~pear_lightning.functional.curve_options.CurveOptions`.

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
    return _area(scores, fractions, hits, **options)


def negative_perturbation(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None = None,
    **options: Unpack[CurveOptions],
) -> PerSample:
    """Area under the output, or accuracy, while the least relevant features are removed first.

    The formula is that of :func:`deletion` on the other curve. Higher is better. Unless frozen, the
    value equals :func:`insertion` into the same baseline. Results and errors are those of
    :func:`perturbation_area`.

    Args:
        scores: ``(B, P)`` floating; the first is the output for x.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        hits: see :func:`perturbation_area`.
        **options: see :class:`~pear_lightning.functional.curve_options.CurveOptions`.

    Example:
        >>> scores, fractions = torch.tensor([[0.8, 0.7, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
        >>> negative_perturbation(scores, fractions).values
        tensor([0.6000])

    References:
        Chefer, Gur, Wolf, *Transformer Interpretability Beyond Attention Visualization*, CVPR 2021,
        arXiv 2012.09838; see :func:`positive_perturbation`.
    """
    return _area(scores, fractions, hits, **options)


def region_perturbation(
    scores: Tensor, fractions: Tensor, *, include_start: bool = True
) -> PerSample:
    r"""Mean drop of the output while the most relevant features are removed first (AOPC).

    .. math::
        \mathrm{AOPC} = \frac{1}{L + 1} \sum_{k=0}^{L} \bigl( f(x) − f(x ∖ I_k) \bigr)

    Higher is better. Results and errors are those of
    :func:`~pear_lightning.functional.curves.mean_drop`.

    Args:
        scores: ``(B, P)`` floating; the first is the output for x.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        include_start: see :func:`~pear_lightning.functional.curves.mean_drop`.

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
    **options: Unpack[AreaOptions],
) -> PerSample:
    r"""Area over the relative output while the most relevant features are removed first.

    .. math::
        \mathrm{IROF} = \sum_{k=1}^{m} (t_k − t_{k-1}) \Bigl( 1 −
        \frac{f(x ∖ I_k) + f(x ∖ I_{k-1})}{2 f(x)} \Bigr)

    with the segments of an image as features. Higher is better. The value is at most 1 for a
    positive output, and negative if removing features raises the output. It is 1 − DEL / f(x) on
    the same curve.

    Args:
        scores: ``(B, P)`` floating, a positive output (a probability); the first is that for x.
        fractions: ``(B, P)`` or ``(P,)`` floating, the share removed, ascending.
        threshold: if the output f(x) is not above this, the value is undefined; in units of the
            output, at least 0.
        **options: ``include_start``, ``include_end`` and ``normalize``; see
            :class:`~pear_lightning.functional.curve_options.CurveOptions`.

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
    return _defined_area(1 - ratios, fractions, no_ratio, **options)


def _area(
    scores: Tensor,
    fractions: Tensor,
    hits: Tensor | None,
    original: Tensor | None = None,
    threshold: float = 1e-5,
    /,
    *,
    value: CurveValue = "score",
    freeze: bool = False,
    **options: Unpack[AreaOptions],
) -> PerSample:
    """Return :func:`perturbation_area`; tensors by position, so that keywords are options alone."""
    check_choice("value", value, CURVE_VALUES)
    check_rows("scores", scores)
    undefined = torch.zeros_like(scores[..., 0], dtype=torch.bool)
    heights = scores
    if value == "ratio":
        if original is None:
            original = scores[..., 0]
        heights, undefined = relative_curve(scores, original, threshold=threshold)
    if value == "accuracy" or freeze:
        if hits is None:
            option = "freeze=True" if freeze else "value='accuracy'"
            raise ValueError(
                f"hits must be a tensor (B, P) for {option}, got None; give True where the model "
                "predicts the explained class"
            )
        check_hits(hits, scores)
        heights = hits.to(heights.dtype) if value == "accuracy" else heights
        heights = freeze_after_flip(heights, hits) if freeze else heights
    return _defined_area(heights, fractions, undefined, **options)


def _defined_area(
    heights: Tensor, fractions: Tensor, undefined: Tensor, **options: Unpack[AreaOptions]
) -> PerSample:
    """Return areas, with 0 where they are undefined or the curve has no width."""
    area, no_width = area_under_curve(heights, fractions, **options)
    undefined = undefined | no_width
    return PerSample(area.masked_fill(undefined, 0), undefined)
