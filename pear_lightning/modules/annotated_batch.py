"""Batches with an optional mask and optional keyword arguments of the model."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

AnnotatedBatch = (
    tuple[Tensor, Tensor]
    | tuple[Tensor, Tensor, Tensor | None]
    | tuple[Tensor, Tensor, Tensor | None, Mapping[str, Any]]
)


class Parts(NamedTuple):
    """The parts of a batch.

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
    """Return inputs, target, mask and keyword arguments of a batch.

    Args:
        batch: ``(inputs, target)``, ``(inputs, target, mask)`` or
            ``(inputs, target, mask, forward_kwargs)``.

    Returns:
        The parts; ``None`` for those that the batch does not have.

    Raises:
        TypeError: If the batch has another form.
    """
    is_sequence = isinstance(batch, list | tuple)
    parts = Parts(*batch) if is_sequence and len(batch) in (2, 3, 4) else None
    if parts is None or not isinstance(parts.forward_kwargs, Mapping | None):
        length = f" of {len(batch)}" if is_sequence else ""
        raise TypeError(
            "batch must be (inputs, target), (inputs, target, mask) or (inputs, target, mask, "
            "forward_kwargs), where forward_kwargs is a mapping of the model's keyword arguments, "
            "got "
            f"{type(batch).__name__}{length}"
        )
    return parts


def masked_parts_of(batch: AnnotatedBatch) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return inputs, target and mask of a batch without keyword arguments.

    Args:
        batch: ``(inputs, target)`` or ``(inputs, target, mask)``.

    Returns:
        Inputs, target, and the mask or ``None``.

    Raises:
        TypeError: If the batch has another form, or has keyword arguments.
    """
    inputs, target, mask, forward_kwargs = parts_of(batch)
    if forward_kwargs:
        raise TypeError(
            "batch must be (inputs, target) or (inputs, target, mask), got the keyword arguments "
            f"{sorted(forward_kwargs)}"
        )
    return inputs, target, mask
