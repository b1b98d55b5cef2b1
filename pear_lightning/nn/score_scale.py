"""The range of the scores of an explainer network."""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.validation import at_least_float32, check_choice

ScoreScale = Literal["unbounded", "sigmoid", "minmax", "softmax"]


def check_scale(scale: ScoreScale) -> None:
    """Raise for an unknown scale.

    Args:
        scale: ``"unbounded"``, ``"sigmoid"``, ``"minmax"`` or ``"softmax"``.

    Raises:
        ValueError: If it is none of these.
    """
    check_choice("scale", scale, ("unbounded", "sigmoid", "minmax", "softmax"))


def scaled_scores(scores: Tensor, scale: ScoreScale, mask: Tensor | None = None) -> Tensor:
    """Return scores in the range of a scale, in float32 or better.

    Args:
        scores: ``(B, n)`` or ``(B, n, C)``.
        scale: ``"unbounded"`` returns the scores, ``"sigmoid"`` maps each to (0, 1), ``"minmax"``
            maps the scores of each sample (and class) linearly to [0, 1]; equal scores become 0;
            ``"softmax"`` makes them positive with the sum 1.
        mask: Tokens that are not padding, ``(B, n)``; others do not count for ``"minmax"`` and have
            score 0 for ``"softmax"``.

    Example:
        >>> scaled_scores(torch.tensor([[2.0, 4.0, 3.0]]), "minmax")
        tensor([[0.0000, 1.0000, 0.5000]])
    """
    scores = at_least_float32(scores)
    if scale == "sigmoid":
        return scores.sigmoid()
    if scale == "unbounded":
        return scores
    absent = None if mask is None else (mask == 0).view(*mask.shape, *(1,) * (scores.ndim - 2))
    if scale == "softmax":
        return (scores if absent is None else scores.masked_fill(absent, -torch.inf)).softmax(dim=1)
    low_of, high_of = scores, scores
    if absent is not None:
        low_of = scores.masked_fill(absent, torch.inf)
        high_of = scores.masked_fill(absent, -torch.inf)
    low, high = low_of.amin(dim=1, keepdim=True), high_of.amax(dim=1, keepdim=True)
    width = high - low
    return (scores - low) / width.masked_fill(width == 0, 1)
