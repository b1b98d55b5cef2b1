"""Losses of the model itself, on the annotated rows of a batch."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor
from typing_extensions import override

from pear_lightning.functional.validation import at_least_float32, check_attributions
from pear_lightning.losses.explanation_loss import ExplanationLoss
from pear_lightning.losses.masks import annotated_rows, element_mask
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward


class AnnotatedRowsLoss(ExplanationLoss):
    r"""Mean over the batch of a loss of its annotated rows.

    .. math:: R = \frac{1}{N} \sum_{n \text{ annotated}} r_n

    N counts all rows. Subclasses implement :meth:`of_rows`, which is given the annotated rows
    alone; where there are none, the model is not looked at.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, 1 in dimensions that it is broadcast over, or
          ``(B, n)`` with ``mask_features``
        - output: a scalar, float32 or better
    """

    needs_mask: ClassVar[bool] = True
    needs_classes: ClassVar[bool] = True

    @abstractmethod
    def of_rows(
        self, forward: Forward, rows: Batch, points_per_pass: int | None
    ) -> tuple[Tensor | None, Tensor]:
        """Return the loss of annotated rows.

        Args:
            forward: The model.
            rows: The annotated rows: inputs ``(A, *S)``, target ``(A,)`` long, and mask as factors
                0 or 1 in float32 or better, ``(A, *S)`` or 1 in some dimensions.
            points_per_pass: Bound on the query points of each sample in one pass.

        Returns:
            Logits ``(A, C)`` of the model in eval mode where they had to be computed anyway, else
            ``None``; and the sum of the rows' losses.
        """

    @override
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        batch = Batch.of(batch)
        rows = annotated(batch, element_mask(batch, self.mask_features))
        if rows is None:
            return None, self.nothing(batch.inputs)
        logits, total = self.of_rows(forward, rows, points_per_pass)
        return (logits if len(rows) == len(batch) else None), total / len(batch)


def annotated(batch: Batch, mask: Tensor | None) -> Batch | None:
    """Return the rows of a batch that have annotations, or ``None`` where there are none.

    Args:
        batch: The batch.
        mask: Its mask of elements, as :func:`~pear_lightning.losses.masks.element_mask` has it.

    Returns:
        The rows; their mask holds factors, 0 or 1, in float32 or better.

    Raises:
        TypeError: If inputs are not floating point or labels are not integers.
        ValueError: If labels are missing, or the inputs hold NaN or Inf.

    Example:
        >>> import torch
        >>> batch = Batch(torch.rand(3, 2), torch.tensor([0, 1, 1]))
        >>> annotated(batch, torch.tensor([[False, False], [True, False], [False, False]])).target
        tensor([1])
    """
    if mask is None:
        return None
    check_attributions("inputs", batch.inputs)
    target = batch.classes
    if target is None:
        raise ValueError(f"target must have one label per sample, ({len(batch)},), got None")
    index = annotated_rows(mask).nonzero().squeeze(1)
    if not len(index):
        return None
    factors = mask.to(at_least_float32(batch.inputs[:0]).dtype).expand(len(batch), *mask.shape[1:])
    batch = replace(batch, target=target, mask=factors)
    return batch if len(index) == len(batch) else batch.rows(index)


def in_float32(rows: Batch) -> Batch:
    """Return rows whose inputs are float32 or better.

    Args:
        rows: The rows.
    """
    return replace(rows, inputs=at_least_float32(rows.inputs))


def check_classes(logits: Any, rows: Batch) -> None:
    """Raise if logits are not those of several classes that have the labels among them.

    Args:
        logits: Logits ``(A, C)``, or what stands for them.
        rows: The rows, with labels.

    Raises:
        ValueError: If there are fewer than two classes or a label is no class.
    """
    n_classes = logits.shape[1]
    if n_classes < 2:
        raise ValueError(
            f"the loss compares classes and needs logits (N, C) with C >= 2, got "
            f"{tuple(logits.shape)}"
        )
    low, high = (int(bound) for bound in rows.labels.aminmax())
    if low < 0 or high >= n_classes:
        raise ValueError(
            f"target must lie in 0..{n_classes - 1}, the model's classes, got values from "
            f"{low} to {high}"
        )
