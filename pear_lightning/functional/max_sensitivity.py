"""How far an explanation changes when its input is perturbed slightly."""

import torch
from torch import Tensor

from pear_lightning.functional.headroom import headroom
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.validation import (
    at_least_float32,
    check_attributions,
    check_finite,
    check_floating,
    is_traced,
)


@torch.no_grad()
def max_sensitivity(attributions: Tensor, perturbed: Tensor) -> PerSample:
    r"""Largest relative change of an explanation among N slightly perturbed inputs.

    .. math::
        \max_{j ≤ N} \frac{‖Φ(x + δ_j) − Φ(x)‖_2}{‖Φ(x)‖_2}

    Lower is better; 0 for an explanation that does not change.

    Args:
        attributions: ``(B, *S)`` floating, Φ(x).
        perturbed: ``(B, N, *S)`` floating, Φ(x + δ_j), of the class explained for x; N >= 1.

    Returns:
        Values ``(B,)``, float32 or better; 0 and undefined where ``attributions`` is 0 everywhere.

    Raises:
        TypeError: if an argument is not floating.
        ValueError: for shapes that do not fit, or NaN or infinite values.

    Example:
        >>> a = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
        >>> perturbed = torch.tensor([[[3.0, 5.0], [3.0, 2.0]], [[0.0, 1.0], [1.0, 0.0]]])
        >>> max_sensitivity(a, perturbed)
        PerSample(values=tensor([0.4000, 0.0000]), undefined=tensor([False,  True]))

    References:
        Yeh, Hsieh, Suggala, Inouye, Ravikumar, *On the (In)fidelity and Sensitivity of
        Explanations*, NeurIPS 2019, arXiv 1901.09392.
    """
    check_attributions("attributions", attributions)
    check_floating("perturbed", perturbed)
    fits = perturbed.ndim == attributions.ndim + 1 and perturbed.shape[1] >= 1
    if not fits or perturbed[:, 0].shape != attributions.shape:
        raise ValueError(
            "attributions and perturbed must have shapes (B, *S) and (B, N, *S) with N >= 1, "
            f"got {tuple(attributions.shape)} and {tuple(perturbed.shape)}"
        )
    check_finite("perturbed", perturbed)
    original, moved = at_least_float32(attributions).flatten(1), at_least_float32(perturbed)
    moved = moved.flatten(2)
    norm, distances = _sizes(original, moved)
    undefined = norm == 0
    values = (distances.amax(dim=1) / norm.masked_fill(undefined, 1)).to(original.dtype)
    return PerSample(values.masked_fill(undefined, 0), undefined)


def _sizes(original: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
    """Return the L2 norms of rows ``(B, n)``, and of the changes of ``(B, N, n)`` from them."""
    if original.dtype != torch.float64 and original.device.type != "mps":
        wide = original.double()  # squares and differences neither vanish nor overflow
        change = moved - wide[:, None]
        return torch.linalg.vector_norm(wide, dim=-1), torch.linalg.vector_norm(change, dim=-1)
    room = torch.minimum(headroom(original), headroom(moved, (1, 2))[..., 0])
    if is_traced(room) or bool((room != 1).any()):
        original, moved = original * room, moved * room[..., None]
    return _norm(original), _norm(moved - original[:, None])


def _norm(x: Tensor) -> Tensor:
    """Return L2 norms of rows ``(..., n)`` whose squares may vanish or overflow."""
    scale = x.abs().amax(dim=-1)
    unit = x / scale.masked_fill(scale == 0, 1)[..., None]
    norm: Tensor = scale * torch.linalg.vector_norm(unit, dim=-1)
    return norm
