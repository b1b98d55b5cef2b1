"""Base class of losses that are computed on the annotated rows of a batch."""

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
    r"""Base class of losses that are the batch mean of a loss of the annotated rows.

    .. math:: R = \frac{1}{N} \sum_{n \text{ annotated}} r_n

    N counts all rows. Subclasses implement :meth:`of_rows`, which receives the annotated rows only.
    The model is not evaluated if no row is annotated.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions, or ``(B, n)`` with
          ``mask_features``
        - output: a scalar, float32 or better
    """

    needs_mask: ClassVar[bool] = True
    needs_classes: ClassVar[bool] = True

    @abstractmethod
    def of_rows(
        self, forward: Forward, rows: Batch, points_per_pass: int | None
    ) -> tuple[Tensor | None, Tensor]:
        """Return the sum of the losses of annotated rows.

        Args:
            forward: The model.
            rows: The annotated rows: inputs ``(A, *S)``, target ``(A,)`` long, and a mask of
                factors 0 or 1 in float32 or better, ``(A, *S)`` or size 1 in some dimensions.
            points_per_pass: Largest number of query points of each sample in one pass.

        Returns:
            Logits ``(A, C)`` of the model in eval mode, or ``None`` if the loss does not compute
            them; and the sum of the rows' losses, a scalar.
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
    """Return the annotated rows of a batch, or ``None`` if no row is annotated.

    Args:
        batch: The batch.
        mask: Element mask of the batch, as returned by
            :func:`~pear_lightning.losses.masks.element_mask`.

    Returns:
        The rows; their mask holds factors, 0 or 1, in float32 or better.

    Raises:
        TypeError: If the inputs are not floating point or the labels are not integers.
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
    """Return rows with inputs in float32 or better.

    Args:
        rows: The rows.
    """
    return replace(rows, inputs=at_least_float32(rows.inputs))


def check_classes(logits: Any, rows: Batch) -> None:
    """Check that logits have several classes, and that the labels are among them.

    Args:
        logits: Logits ``(A, C)``, or a stand-in of them.
        rows: The rows, with labels.

    Raises:
        ValueError: If there are fewer than two classes or a label is out of range.
    """
    n_classes = logits.shape[1]
    if n_classes < 2:
        raise ValueError(
            f"logits must have two or more classes, (N, C) with C >= 2, got {tuple(logits.shape)}"
        )
    low, high = (int(bound) for bound in rows.labels.aminmax())
    if low < 0 or high >= n_classes:
        raise ValueError(
            f"target must lie in 0..{n_classes - 1}, the classes of the model, got values from "
            f"{low} to {high}"
        )
