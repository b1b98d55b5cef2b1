"""Batches that may come with a mask."""

from torch import Tensor

AnnotatedBatch = tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor | None]


def parts_of(batch: AnnotatedBatch) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return inputs, target and mask of a batch that may have no mask.

    Args:
        batch: ``(inputs, target)`` or ``(inputs, target, mask)``.

    Returns:
        Inputs, target, and the mask or ``None``.

    Raises:
        TypeError: If it is something else.
    """
    if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
        length = len(batch) if isinstance(batch, list | tuple) else ""
        raise TypeError(
            "a batch must be (inputs, target) or (inputs, target, mask), got "
            f"{type(batch).__name__} {length}".rstrip()
        )
    inputs, target, *mask = batch
    return inputs, target, mask[0] if mask else None
