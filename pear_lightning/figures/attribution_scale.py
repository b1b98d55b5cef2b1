"""The scale of the colours and bars of attributions."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

Scale = Literal["panel", "sample", "explainer"]
SCALES: tuple[Scale, ...] = get_args(Scale)


def scaled(attributions: Sequence[Tensor], scale: Scale, quantile: float = 1.0) -> Tensor:
    """Divide attributions by their largest absolute values.

    Args:
        attributions: One tensor ``(B, *S)`` for each of E explainers.
        scale: What shares a scale: nothing (``"panel"``, every explanation of a sample has its
            own), the explanations of a sample (``"sample"``), or all samples of an explainer
            (``"explainer"``).
        quantile: Quantile of the absolute values that is mapped to 1, so that a few large values
            do not hide the others.

    Returns:
        ``(E, B, *S)`` float32 on the CPU, between -1 and 1; 0 where the largest value is 0.

    Raises:
        ValueError: If ``scale`` is unknown.

    Example:
        >>> scaled([torch.tensor([[1.0, -2.0]]), torch.tensor([[4.0, 1.0]])], "sample").tolist()
        [[[0.25, -0.5]], [[1.0, 0.25]]]
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, got {scale!r}")
    stacked = torch.stack([each.detach().float().cpu() for each in attributions])
    magnitudes = stacked.flatten(2).abs()  # (E, B, n)
    if scale == "sample":
        magnitudes = magnitudes.transpose(0, 1).flatten(1)[None]  # (1, B, E·n)
    elif scale == "explainer":
        magnitudes = magnitudes.flatten(1)[:, None]  # (E, 1, B·n)
    ordered = magnitudes.sort(dim=-1).values
    last = ordered.shape[-1] - 1
    limits = ordered[..., min(last, -int(-quantile * last // 1))]
    # where less than the quantile is not zero, the largest value
    limits = limits.where(limits > 0, ordered[..., -1])
    limits = limits.where(limits > 0, 1).expand(stacked.shape[:2])
    return (stacked / limits.view(*stacked.shape[:2], *[1] * (stacked.ndim - 2))).clamp(-1, 1)
