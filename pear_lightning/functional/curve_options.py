"""The options of the metrics that read a removal curve."""

from typing import Literal, TypedDict

CurveValue = Literal["score", "accuracy", "ratio"]
CURVE_VALUES: tuple[CurveValue, ...] = ("score", "accuracy", "ratio")
Ends = Literal["both", "last", "none"]
ENDS: tuple[Ends, ...] = ("both", "last", "none")


class AreaOptions(TypedDict, total=False):
    """The options of :class:`CurveOptions` that concern the area alone, not the curve's height."""

    include_start: bool
    include_end: bool
    normalize: bool


class CurveOptions(AreaOptions, total=False):
    """Keyword arguments of the metrics that are an area under a removal curve.

    The functions take them under these names. The metric classes take ``include_start`` and
    ``include_end`` as one argument: ``ends="both"``, ``"last"`` (without the start) or ``"none"``
    (without both). :mod:`pear_lightning.functional.curves` defines the curves.

    Attributes:
        include_start: whether the curve begins at its first point; if not, it begins after the
            first step. Default: ``True``.
        include_end: whether the curve ends at its last point; if not, it ends before the last step.
            Default: ``True``.
        normalize: whether to divide the area by the width of the curve. The result is the mean
            height of the curve, and a curve of ones has area 1. Default: ``True``.
        value: height of the curve: ``"score"``, the explained output; ``"accuracy"``, 1 where the
            explained class is predicted and 0 elsewhere; ``"ratio"``, the output relative to that
            of the unperturbed sample. Default: ``"score"``.
        freeze: whether the curve keeps the value of the first point at which the explained class is
            not predicted; the curve of a model with one output, which predicts no class, has none.
            Default: ``False``.

    Example:
        >>> import torch
        >>> from pear_lightning.functional import deletion
        >>> deepfaith: CurveOptions = {"include_start": False, "normalize": False}
        >>> scores, fractions = torch.tensor([[0.8, 0.4, 0.2]]), torch.tensor([0.0, 0.5, 1.0])
        >>> deletion(scores, fractions, **deepfaith).values
        tensor([0.1500])
    """

    value: CurveValue
    freeze: bool


def area_options(ends: Ends, normalize: bool) -> AreaOptions:
    """Return the options of an area as functions take them, from those of a metric class.

    Args:
        ends: which ends of the curve belong to the area.
        normalize: whether to divide by the width of the curve.

    Example:
        >>> area_options("last", normalize=False)
        {'include_start': False, 'include_end': True, 'normalize': False}
    """
    return {
        "include_start": ends == "both",
        "include_end": ends != "none",
        "normalize": normalize,
    }
