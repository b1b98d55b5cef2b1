"""Batches that may come with a mask, and with what else the model takes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

AnnotatedBatch = (
    tuple[Tensor, Tensor]
    | tuple[Tensor, Tensor, Tensor | None]
    | tuple[Tensor, Tensor, Tensor | None, Mapping[str, Any]]
)


class Parts(NamedTuple):
    """What a batch holds.

    Attributes:
        inputs: Inputs, ``(B, *S)``.
        target: Target, ``(B,)``.
        mask: Annotations, or ``None``.
        forward_kwargs: Further keyword arguments of the model; tensors have ``B`` rows.
    """

    inputs: Tensor
    target: Tensor
    mask: Tensor | None = None
    forward_kwargs: Mapping[str, Any] | None = None


def parts_of(batch: AnnotatedBatch) -> Parts:
    """Return inputs, target, mask and keyword arguments of a batch that may have neither.

    Args:
        batch: ``(inputs, target)``, ``(inputs, target, mask)`` or
            ``(inputs, target, mask, forward_kwargs)``.

    Returns:
        Its parts, ``None`` for what it does not have.

    Raises:
        TypeError: If it is something else.
    """
    is_sequence = isinstance(batch, list | tuple)
    parts = Parts(*batch) if is_sequence and len(batch) in (2, 3, 4) else None
    if parts is None or not isinstance(parts.forward_kwargs, Mapping | None):
        length = f" of {len(batch)}" if is_sequence else ""
        raise TypeError(
            "a batch must be (inputs, target), (inputs, target, mask) or (inputs, target, mask, "
            "forward_kwargs), the last one a mapping of the model's keyword arguments, got "
            f"{type(batch).__name__}{length}"
        )
    return parts


def masked_parts_of(batch: AnnotatedBatch) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return inputs, target and mask of a batch for a module that takes nothing else.

    Args:
        batch: ``(inputs, target)`` or ``(inputs, target, mask)``.

    Returns:
        Inputs, target, and the mask or ``None``.

    Raises:
        TypeError: If it is something else, or has keyword arguments of the model.
    """
    inputs, target, mask, forward_kwargs = parts_of(batch)
    if forward_kwargs:
        raise TypeError(
            "a batch must be (inputs, target) or (inputs, target, mask) here, got keyword "
            f"arguments too: {sorted(forward_kwargs)}"
        )
    return inputs, target, mask
