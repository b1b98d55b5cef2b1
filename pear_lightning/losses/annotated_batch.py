"""The annotated rows of a batch, for losses of the model itself."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pear_lightning.functional.validation import at_least_float32, check_attributions
from pear_lightning.losses.masks import aligned_mask, annotated_rows
from pear_lightning.scoring.scorer import check_rows


class AnnotatedBatch(NamedTuple):
    """What a loss needs of the rows that mark anything.

    Attributes:
        inputs: Inputs of these rows, ``(A, *S)``, float32 or better.
        target: Their labels, ``(A,)`` long.
        mask: Their masks as factors, 0 or 1, ``(A, *S)`` or 1 in some dimensions.
        forward_kwargs: Keyword arguments of the model for these rows.
        n_rows: Rows B of the whole batch, over which losses are averaged.
        is_whole: Whether these are all rows.
    """

    inputs: Tensor
    target: Tensor
    mask: Tensor
    forward_kwargs: dict[str, Any]
    n_rows: int
    is_whole: bool

    def check_classes(self, logits: Any) -> None:
        """Raise if logits are not those of several classes that have the labels among them.

        Args:
            logits: Logits ``(A, C)``, or what stands for them.

        Raises:
            ValueError: If there are fewer than two classes or a label is no class.
        """
        n_classes = logits.shape[1]
        if n_classes < 2:
            raise ValueError(
                f"the loss compares classes and needs logits (N, C) with C >= 2, got "
                f"{tuple(logits.shape)}"
            )
        low, high = (int(bound) for bound in self.target.aminmax())
        if low < 0 or high >= n_classes:
            raise ValueError(
                f"target must lie in 0..{n_classes - 1}, the model's classes, got values from "
                f"{low} to {high}"
            )


def annotated_batch(
    inputs: Tensor,
    target: Tensor | None,
    mask: Tensor | None,
    forward_kwargs: Mapping[str, Any] | None = None,
) -> AnnotatedBatch | None:
    """Return the rows of a batch that have annotations, or ``None`` where there are none.

    Args:
        inputs: Inputs, ``(B, *S)``.
        target: Labels, ``(B,)``.
        mask: Annotations, see :func:`~pear_lightning.losses.masks.aligned_mask`; or ``None``.
        forward_kwargs: Keyword arguments of the model; tensors have ``B`` rows.

    Returns:
        The rows.

    Raises:
        TypeError: If inputs are not floating point or labels are not integers.
        ValueError: If the mask does not fit or is not made of zeros and ones, labels are missing,
            a keyword tensor has another number of rows, or the inputs hold NaN or Inf.

    Example:
        >>> x, y = torch.rand(3, 2), torch.tensor([0, 1, 1])
        >>> annotated_batch(x, y, torch.tensor([[0, 0], [1, 0], [0, 0]])).target
        tensor([1])
    """
    if mask is None:
        return None
    mask = aligned_mask(mask, inputs)
    check_attributions("inputs", inputs)
    if target is None or target.shape != inputs.shape[:1]:
        raise ValueError(
            f"target must have one label per sample, ({len(inputs)},), got "
            f"{None if target is None else tuple(target.shape)}"
        )
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise TypeError(f"target must hold class indices (torch.long), got {target.dtype}")
    kwargs = dict(check_rows("forward_kwargs", forward_kwargs or {}, inputs))
    rows = annotated_rows(mask).nonzero().squeeze(1)
    if not len(rows):
        return None
    is_whole = len(rows) == len(inputs)
    values = at_least_float32(inputs)
    n_rows = len(inputs)
    if not is_whole:
        values, target, mask = values[rows], target[rows], mask[rows]
        kwargs = {k: v[rows] if isinstance(v, Tensor) else v for k, v in kwargs.items()}
    return AnnotatedBatch(values, target.long(), mask.to(values.dtype), kwargs, n_rows, is_whole)
