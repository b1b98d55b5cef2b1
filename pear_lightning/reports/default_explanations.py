"""Masker and explainers that a report uses unless others are given."""

from typing import Any, Literal

from pear_lightning.explainers import (
    Explainer,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    Occlusion,
    SmoothGrad,
)
from pear_lightning.masking import ColumnMasker, Masker, PatchMasker, TokenMasker
from pear_lightning.reports.picture_style import PictureStyle
from pear_lightning.scoring.batch import Batch

_PATCHES = 14  # along the longer side of an image


def default_baseline(data: Any) -> Literal["zeros", "mean"]:
    """Return the training mean as the baseline where a data module knows it, else zeros.

    Args:
        data: A data module, or any other object.
    """
    return "mean" if getattr(data, "training_mean", None) is not None else "zeros"


def default_masker(batch: Batch, style: PictureStyle, data: Any) -> Masker:
    """Return the features of a batch: columns, 14 x 14 patches or tokens.

    Args:
        batch: The samples.
        style: Style of the pictures, which may tell their kind and a tokenizer.
        data: The data module; its ``column_groups`` become single features.

    Raises:
        ValueError: If the inputs are of another kind.

    Example:
        >>> import torch
        >>> default_masker(Batch(torch.rand(2, 3, 28, 56)), PictureStyle(), None).patch_size
        (4, 4)
    """
    kind = style.kind_of(batch)
    if kind == "tokens":
        return style.token_masker()
    baseline = default_baseline(data)
    inputs = batch.inputs
    if kind == "columns" or inputs.ndim == 2:
        groups = getattr(data, "column_groups", None) if inputs.ndim == 2 else None
        return ColumnMasker(inputs.shape[1], groups or None, baseline=baseline)
    if inputs.ndim != 4:
        raise ValueError(
            f"masker must be given for inputs {tuple(inputs.shape)}, which are not images "
            "(B, C, H, W), rows (B, n) or tokens, got None"
        )
    return PatchMasker(max(1, round(max(inputs.shape[2:]) / _PATCHES)), baseline=baseline)


def default_explainers(masker: Masker, data: Any, *, by_gradient: bool) -> dict[str, Explainer]:
    """Return explainers that run in a few passes.

    Args:
        masker: Defines the features of explainers that remove features.
        data: The data module.
        by_gradient: Whether the inputs have gradients; token ids have none.

    Returns:
        Gradient, input x gradient, integrated gradients and SmoothGrad, with the baseline of
        :func:`default_baseline`; or, without gradients, LIME, KernelSHAP and occlusion.
    """
    if not by_gradient:
        return {
            "lime": Lime(masker=masker, similarity="masks", seed=0),  # ids have no distances
            "kernel_shap": KernelShap(masker=masker, seed=0),
            "occlusion": Occlusion(masker),
        }
    # embeddings have no training mean
    baseline = "zeros" if isinstance(masker, TokenMasker) else default_baseline(data)
    return {
        "gradient": Gradient(),
        "input_x_gradient": InputXGradient(baseline),
        "integrated_gradients": IntegratedGradients(20, baseline),
        "smooth_grad": SmoothGrad(20, 0.1, seed=0),
    }
